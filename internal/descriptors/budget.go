package descriptors

// Budget reports how many descriptors each user may have. What is left belongs to
// the log, the archive, batch runs and outgoing connections.
type Budget struct {
	Limit int // of the process
	HTTP  int // connections of clients
	Kafka int // connections of other programs to the embedded broker
	Store int // files that the embedded store keeps open
}

// Enough is the smallest limit with which everything works.
const Enough = 256

// mostConnections bounds connections where the limit does not: a connection
// takes about 20 KB of memory.
const mostConnections = 100_000

// Divide divides a limit: three eighths for HTTP, an eighth for Kafka, a quarter
// for the store's open tables, and the last quarter for everything else. A limit
// below Enough is divided too.
func Divide(limit uint64) Budget {
	n := int(min(limit, 1<<30))
	return Budget{
		Limit: n,
		HTTP:  min(max(n*3/8, 1), mostConnections),
		Kafka: min(max(n/8, 1), mostConnections),
		Store: min(max(n/4, 16), 1000),
	}
}

// Here is the budget of this process.
func Here() Budget { return Divide(limit()) }
