package cassandra

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// settingsError is about settings: waiting does not cure it.
type settingsError struct{ error }

func (e settingsError) Unwrap() error { return e.error }

// Lasting tells a caller that waits for a server to start that it need not.
func (settingsError) Lasting() bool { return true }

func lasting(format string, args ...any) error {
	return settingsError{fmt.Errorf(format, args...)}
}

// servers is what was found of the cluster.
type servers struct {
	dc    string         // data centre to use
	nodes map[string]int // by data centre
}

const (
	lookLocal    = "SELECT release_version, data_center FROM system.local WHERE key = 'local'"
	lookPeers    = "SELECT release_version, data_center FROM system.peers"
	lookKeyspace = "SELECT durable_writes, replication FROM system_schema.keyspaces WHERE keyspace_name = ?"
	lookSync     = "SELECT value FROM system_views.settings WHERE name = 'commitlog_sync'"
)

// look checks the versions of all nodes and finds the data centre.
func (o *Options) look(ctx context.Context, session *gocql.Session) (servers, error) {
	found := servers{dc: o.DC, nodes: make(map[string]int)}
	for i, text := range []string{lookLocal, lookPeers} {
		iter := session.Query(text).IterContext(ctx)
		var version, dc string
		for iter.Scan(&version, &dc) {
			if err := checkVersion(version); err != nil {
				return found, errors.Join(err, iter.Close())
			}
			found.nodes[dc]++
			if i == 0 && found.dc == "" {
				found.dc = dc
			}
		}
		if err := iter.Close(); err != nil {
			return found, err
		}
	}
	if found.nodes[found.dc] == 0 {
		return found, lasting("dc=%s: the nodes are in %s", found.dc, strings.Join(slices.Sorted(maps.Keys(found.nodes)), ", "))
	}
	return found, nil
}

// checkVersion accepts the versions whose tables of settings we know.
func checkVersion(version string) error {
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err == nil && (n == 4 || n == 5) {
		return nil
	}
	return lasting("a node of Cassandra is version %q: allowed are 4.0 and later of 4 and 5 (5.0.9 was tested): name another cluster", version)
}

// prepareKeyspace checks the keyspace, or creates it.
func (o *Options) prepareKeyspace(ctx context.Context, session *gocql.Session, found servers) error {
	replication, err := o.replication(ctx, session)
	if err != nil {
		return err
	}
	if replication == nil {
		n := orDefault(o.Replication, min(3, found.nodes[found.dc]))
		if n > found.nodes[found.dc] {
			return lasting("replication=%d: data centre %s has %d nodes", n, found.dc, found.nodes[found.dc])
		}
		if n == 1 { // before anything is written
			if err := o.checkSync(ctx, session); err != nil {
				return err
			}
		}
		text := fmt.Sprintf("CREATE KEYSPACE IF NOT EXISTS %s WITH replication = {'class': 'NetworkTopologyStrategy', '%s': %d}",
			o.Keyspace, strings.ReplaceAll(found.dc, "'", "''"), n)
		return session.Query(text).ExecContext(ctx)
	}
	return o.checkKeyspace(ctx, session, found, replication)
}

// replication returns the options of the keyspace's replication, or nil if there is no
// such keyspace.
func (o *Options) replication(ctx context.Context, session *gocql.Session) (map[string]string, error) {
	var durable bool
	var replication map[string]string
	err := session.Query(lookKeyspace, o.Keyspace).ScanContext(ctx, &durable, &replication)
	switch {
	case errors.Is(err, gocql.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case !durable:
		return nil, lasting("keyspace %s has durable_writes = false, so acknowledged writes are lost when a node ends: ALTER KEYSPACE %s WITH durable_writes = true", o.Keyspace, o.Keyspace)
	}
	return replication, nil
}

// checkKeyspace checks the replication of a keyspace that is there.
func (o *Options) checkKeyspace(ctx context.Context, session *gocql.Session, found servers, replication map[string]string) error {
	local, total := replicas(replication, found)
	if local == 0 && o.Consistency == gocql.LocalQuorum {
		return lasting("keyspace %s has no replica in data centre %s (%v): name another with dc, or ALTER KEYSPACE", o.Keyspace, found.dc, replication)
	}
	if o.Replication != 0 && o.Replication != local {
		return lasting("replication=%d: keyspace %s has %d replicas in data centre %s: leave replication out, or ALTER KEYSPACE", o.Replication, o.Keyspace, local, found.dc)
	}
	copies := total
	if o.Consistency == gocql.LocalQuorum {
		copies = local
	}
	if copies > 1 {
		return nil
	}
	return o.checkSync(ctx, session)
}

// replicas returns how many copies there are in the data centre to use, and in all.
func replicas(replication map[string]string, found servers) (local, total int) {
	for name, text := range replication {
		n, err := strconv.Atoi(text)
		if err != nil || name == "class" {
			continue
		}
		total += n
		if name == found.dc || name == "replication_factor" { // of SimpleStrategy, which knows no data centres
			local += n
		}
	}
	return local, total
}

// checkSync refuses a commit log that is synced now and then, where there is a single
// copy. It asks every node.
func (o *Options) checkSync(ctx context.Context, session *gocql.Session) error {
	for _, host := range session.GetHosts() {
		var sync string
		err := session.Query(lookSync).SetHostID(host.HostID()).ScanContext(ctx, &sync)
		if codeOf(err) == gocql.ErrCodeUnauthorized {
			return lasting("user %q may not see whether the commit log is durable, and keyspace %s has a single copy: GRANT SELECT ON system_views.settings TO %s (%w)", o.User, o.Keyspace, o.User, err)
		}
		if err != nil {
			return fmt.Errorf("commitlog_sync of %v: %w", host.ConnectAddress(), err)
		}
		if sync == "periodic" {
			return lasting("node %v has commitlog_sync: periodic, and keyspace %s has a single copy: when the node is killed, up to 10 s of acknowledged pageviews are lost. "+
				"Set commitlog_sync: group (or batch) in cassandra.yaml, or keep 3 copies", host.ConnectAddress(), o.Keyspace)
		}
	}
	return nil
}

// hint returns what to change where the driver's own message does not tell. The driver
// gives errors of the first contact as text only.
func hint(err error, o *Options) error {
	text := err.Error()
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(text, p) })
	}
	hosts := strings.Join(o.Hosts, ",")
	switch {
	case codeOf(err) == gocql.ErrCodeUnauthorized:
		return lasting("%w; user %q lacks rights: GRANT CREATE, ALTER, DROP, SELECT, MODIFY ON KEYSPACE %s TO %s (and CREATE ON ALL KEYSPACES if it is to be made), or name another with user=", err, o.User, o.Keyspace, o.User)
	case has("authentication required"):
		return lasting("Cassandra asks for a user and a password: name them with user= and password-file=, or set %s (%w)", PasswordEnv, err)
	case has("and/or password are incorrect", "Bad credentials", "is not permitted to log in"):
		return lasting("the password of user %q is wrong, or there is no such user: user=, password-file= (or %s) (%w)", o.User, PasswordEnv, err)
	case has("x509:", "tls:"):
		return lasting("TLS with %s: is the port one with TLS, and did the authority in tls-ca= sign its certificate? (%w)", hosts, err)
	case has("failed to resolve"):
		return fmt.Errorf("no host of %s is known: is the name right? (%w)", hosts, err)
	case has("unsupported protocol version", "Invalid or unsupported protocol"):
		return lasting("the servers at %s speak another protocol: allowed are Cassandra 4.0 and later of 4 and 5 (%w)", hosts, err)
	case codeOf(err) < 0 && has("unable to create session", "no answer in time"):
		return fmt.Errorf("no answer from Cassandra at %s: is this where its clients connect (native_transport_port), and does it want TLS (tls=true)? (%w)", hosts, err)
	}
	return err
}
