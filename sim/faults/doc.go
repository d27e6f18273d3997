// Package faults does to a real cluster what happens to clusters, while clients
// post, and then asks whether the system kept its promise: what was acknowledged
// is counted exactly once.
//
// The cluster is real Kafka and real HBase or Cassandra (internal/devcluster), and ours are
// real processes of the real program, one for each role: two collectors, two
// processors, and one that answers (two with a batch layer). Between them and the
// servers stand proxies (toxiproxy) that cut and slow connections. Clients and
// their ledger are those of package torture.
//
// A [Plan] reports what happens, in which order, made from the seed. What else
// happens the operating system decides, so a run with the same seed is alike but
// not the same. After each fault everything that the log held must become
// queryable within a bound; at the end every cell is compared, with what clients
// know (export) and with what the log holds (verify).
package faults
