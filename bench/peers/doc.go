// Package peers holds other systems' ways to do the main job, to compare speedlayer
// with: pageviews from Kafka, deduplicated, to a count and the visitors of each page
// and hour. Each one is a Java program in a folder of its own, with a Maven file that
// pins its libraries. They share the folder common.
//
// They do less than speedlayer: no domains, no visits and bounces, no archive, no
// queries, and no store but Parquet files of Spark's.
package peers
