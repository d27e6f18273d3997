// Package webanalytics is SuperWebAnalytics.com of Marz and Warren's Big Data, written
// as a topology: pageviews and unique visitors of pages and domains, visits and
// bounces of domains, by hour. It is what speedlayer's own operator (package view)
// computes, cell by cell, in a page of the public API; a test compares the two.
// `speedlayer topology` prints its diagram.
package webanalytics
