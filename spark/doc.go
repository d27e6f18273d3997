// Package spark is the part of speedlayer that runs in Spark: a small Maven module
// (pom.xml, src/) that this package has in it, and builds.
//
// Spark plans ranges and schedules them; the process beside each executor works them
// off (package worker). docs/spark.md has the whole picture.
package spark
