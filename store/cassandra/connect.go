package cassandra

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

const (
	connectTime = 4 * time.Second // of one node
	reconnect   = time.Second     // between two looks at nodes that are down
	// agreeTime is how long one waits until all nodes know a new table. One that is
	// down never does; requests that need it fail and are tried again.
	agreeTime = 3 * time.Second
)

// config returns the driver's configuration, for requests to the nodes of one data
// centre. Requests are tried again by us (see requests), on other nodes.
func (o *Options) config(dc string) *gocql.ClusterConfig {
	c := gocql.NewCluster(o.Hosts...)
	c.ProtoVersion = 4 // so that servers too old or of another make answer, and are told apart by their version
	c.Consistency, c.SerialConsistency = o.Consistency, o.serial()
	c.ConnectTimeout, c.Timeout = connectTime, o.CallTime
	c.ReconnectInterval = reconnect
	c.ReconnectionPolicy = &gocql.ConstantReconnectionPolicy{MaxRetries: 2, Interval: reconnect}
	c.MaxWaitSchemaAgreement = agreeTime
	c.DefaultTimestamp = false // each put of ours names its own, and the servers give those of lightweight transactions
	c.Keyspace = o.Keyspace
	c.Metadata.CacheMode = gocql.KeyspaceOnly
	c.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(gocql.DCAwareRoundRobinPolicy(dc), gocql.ShuffleReplicas())
	c.RetryPolicy = nextHost{}
	c.Logger = driverLog{o.Logger}
	c.Dialer = o.dialer
	if o.User != "" {
		c.Authenticator = gocql.PasswordAuthenticator{Username: o.User, Password: o.Password}
	}
	if o.TLS != nil {
		c.SslOpts = &gocql.SslOptions{Config: o.TLS.Clone(), EnableHostVerification: true}
	}
	return c
}

// firstConfig returns the configuration of the first contact: the nodes named, and no
// keyspace, which may not exist yet.
func (o *Options) firstConfig() *gocql.ClusterConfig {
	c := o.config("")
	c.Keyspace = ""
	c.Metadata.CacheMode = gocql.Disabled
	c.PoolConfig.HostSelectionPolicy = gocql.RoundRobinHostPolicy()
	c.NumConns = 1
	return c
}

const (
	connectTries = 5 // of a session
	connectAgain = 500 * time.Millisecond
)

// connect opens a session. The driver makes its first connections once: when a node has
// answered, and these are lost all the same, it is asked again.
func connect(ctx context.Context, c *gocql.ClusterConfig) (session *gocql.Session, err error) {
	for range connectTries {
		session, err = connectOnce(ctx, c)
		if !errors.Is(err, gocql.ErrNoConnectionsStarted) {
			return session, err
		}
		select {
		case <-time.After(connectAgain):
		case <-ctx.Done():
			return nil, err
		}
	}
	return nil, err
}

// connectOnce opens a session. The driver takes no context; a session that comes too
// late is closed.
func connectOnce(ctx context.Context, c *gocql.ClusterConfig) (*gocql.Session, error) {
	type result struct {
		session *gocql.Session
		err     error
	}
	opened := make(chan result, 1)
	go func() { // ends with the driver's own timeouts
		session, err := c.CreateSession()
		opened <- result{session, err}
	}()
	select {
	case r := <-opened:
		return r.session, r.err
	case <-ctx.Done():
		go func() {
			if r := <-opened; r.session != nil {
				r.session.Close()
			}
		}()
		return nil, fmt.Errorf("no answer in time: %w", context.Cause(ctx))
	}
}

// nextHost lets the driver ask each replica once, before the request is tried again.
type nextHost struct{}

// Attempt implements gocql.RetryPolicy.
func (nextHost) Attempt(q gocql.RetryableQuery) bool { return q.Attempts() <= 2 }

// GetRetryType implements gocql.RetryPolicy.
func (nextHost) GetRetryType(err error) gocql.RetryType {
	if permanent(err) {
		return gocql.Rethrow
	}
	return gocql.RetryNextHost
}

// driverLog passes what the driver reports on, as details: what matters of it are the
// errors of requests.
type driverLog struct{ to *slog.Logger }

func (l driverLog) log(level slog.Level, msg string, fields []gocql.LogField) {
	if !l.to.Enabled(context.Background(), level) {
		return
	}
	args := make([]any, 0, 2*len(fields))
	for _, f := range fields {
		args = append(args, f.Name, f.Value.String())
	}
	l.to.Log(context.Background(), level, "cassandra driver: "+msg, args...)
}

// Error implements gocql.StructuredLogger, as do the other methods.
func (l driverLog) Error(msg string, fields ...gocql.LogField)   { l.log(slog.LevelDebug, msg, fields) }
func (l driverLog) Warning(msg string, fields ...gocql.LogField) { l.log(slog.LevelDebug, msg, fields) }
func (l driverLog) Info(string, ...gocql.LogField)               {}
func (l driverLog) Debug(string, ...gocql.LogField)              {}
