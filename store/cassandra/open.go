package cassandra

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"speedlayer/store"
)

// Store implements store.Store.
type Store struct {
	opts     Options
	layout   layout
	requests *requests
	put      atomic.Int64 // rows of cells, acknowledged

	mu struct {
		sync.Mutex
		generations map[uint32]string // state, only as read; it never goes back
		days        map[generationDay]bool
		committed   map[store.Shard]int64 // offset of a commit row that was read or written; by now it may be higher
		epochs      []store.Epoch         // those that were read; there may be more
	}
}

// generationDay is a row of days that is known to be there.
type generationDay struct {
	generation uint32
	day        int32
}

// createTime bounds the creation of the first tables, after the checks at start.
const createTime = time.Minute

// Open connects to Cassandra. It checks that the servers can be used and that the
// keyspace has this layout, and only then creates what is missing. Errors name the
// part of --store to change.
func Open(ctx context.Context, o Options) (*Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("--store cassandra://: %w", err)
	}
	s := newStore(o)
	if err := s.open(ctx); err != nil {
		s.requests.close()
		return nil, fmt.Errorf("--store %s: %w", o.url(), hint(err, &o))
	}
	return s, nil
}

func newStore(o Options) *Store {
	s := &Store{opts: o, requests: newRequests(&o)}
	s.mu.generations = make(map[uint32]string)
	s.mu.days = make(map[generationDay]bool)
	s.mu.committed = make(map[store.Shard]int64)
	return s
}

func (s *Store) open(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, s.opts.openTime)
	defer cancel()
	if err := s.connect(within); err != nil {
		return err
	}
	complete, err := s.checkTables(within)
	if err != nil {
		return err
	}
	if complete {
		return s.checkRights(within)
	}
	within, cancel = context.WithTimeout(ctx, createTime)
	defer cancel()
	if err := s.createTables(within); err != nil {
		return err
	}
	return s.checkRights(within)
}

// connect opens the session, when the servers and the keyspace can be used.
func (s *Store) connect(ctx context.Context) error {
	first, err := connect(ctx, s.opts.firstConfig())
	if err != nil {
		return err
	}
	defer first.Close()
	servers, err := s.opts.look(ctx, first)
	if err != nil {
		return err
	}
	if err := s.opts.prepareKeyspace(ctx, first, servers); err != nil {
		return err
	}
	session, err := connect(ctx, s.opts.config(servers.dc))
	if err != nil {
		return err
	}
	s.requests.use(session)
	return nil
}

// checkTables checks that the tables in the keyspace are ours. complete reports that
// nothing is missing.
func (s *Store) checkTables(ctx context.Context) (complete bool, err error) {
	tables, err := s.tables(ctx)
	if err != nil {
		return false, err
	}
	if slices.Contains(tables, controlTable) {
		return s.checkLayout(ctx)
	}
	if len(tables) > 0 && !partOfOurs(tables) {
		return false, lasting("keyspace %s has tables like %s, but no %s: take another keyspace", s.opts.Keyspace, tables[0], controlTable)
	}
	return false, nil
}

// createTables creates the tables that every keyspace has, and then the layout's row,
// which tells that all are there.
func (s *Store) createTables(ctx context.Context) error {
	for _, t := range [][3]string{{daysTable, daysColumns}, {shardsTable, shardsColumns}, {snapshotsTable, snapshotsColumns, snapshotsWith}, {controlTable, controlColumns}} {
		if err := s.define(ctx, s.createTable(t[0], "", t[1], t[2])); err != nil {
			return err
		}
	}
	won, err := s.makeLayout(ctx)
	if err != nil || won {
		return err
	}
	_, err = s.checkLayout(ctx) // another process was first
	return err
}

// partOfOurs reports whether tables are those that a process leaves that was killed, or
// has not come further yet, when it created them.
func partOfOurs(tables []string) bool {
	for _, t := range tables {
		if t != daysTable && t != shardsTable && t != snapshotsTable {
			return false
		}
	}
	return true
}

// checkLayout reads the layout's row; there is false if there is none yet.
func (s *Store) checkLayout(ctx context.Context) (there bool, err error) {
	have, err := s.readSerial(ctx, layoutRow)
	if codeOf(err) == gocql.ErrCodeInvalid {
		return false, lasting("table %s.%s is none of speedlayer's (%w): take another keyspace", s.opts.Keyspace, controlTable, err)
	}
	if err != nil || have.value == nil {
		return false, err
	}
	var l layout
	if err := json.Unmarshal(have.value, &l); err != nil || l.Version != layoutVersion || l.Buckets < 1 || l.Buckets > maxBuckets {
		return false, lasting("keyspace %s has layout %.80q, this program's is version %d: take another keyspace, or the program that wrote it", s.opts.Keyspace, have.value, layoutVersion)
	}
	if s.opts.Buckets != 0 && s.opts.Buckets != l.Buckets {
		return false, lasting("keyspace %s was made with %d buckets, not %d: leave buckets out, or take another keyspace", s.opts.Keyspace, l.Buckets, s.opts.Buckets)
	}
	s.layout = l
	return true, nil
}

func (s *Store) makeLayout(ctx context.Context) (won bool, err error) {
	salt := make([]byte, 8)
	_, _ = rand.Read(salt) // never fails
	l := layout{layoutVersion, orDefault(s.opts.Buckets, defaultBuckets), hex.EncodeToString(salt)}
	row, err := json.Marshal(l)
	if err != nil {
		return false, err
	}
	won, err = s.swap(ctx, layoutRow, nil, row)
	if won {
		s.layout = l
	}
	return won, err
}

// checkRights does what a processor will do: it puts a row that no generation has,
// creates a table that is there, and drops one that is not.
func (s *Store) checkRights(ctx context.Context) error {
	if err := s.requests.exec(ctx, putDay, int64(-1), date(0)); err != nil {
		return err
	}
	if err := s.define(ctx, s.createTable(controlTable, "", controlColumns, "")); err != nil {
		return err
	}
	return s.dropTable(ctx, "no_such_table")
}

// Close closes all connections. Everything acknowledged is already durable.
func (s *Store) Close() error {
	s.requests.close()
	return nil
}

// Faults implements store.CountsFaults.
func (s *Store) Faults() store.Faults {
	return store.Faults{Retries: s.requests.retries.Load(), Failures: s.requests.failures.Load()}
}

// Rows returns how many rows of cells were put and acknowledged since the start.
func (s *Store) Rows() int64 { return s.put.Load() }

const tableSizes = "SELECT table_name, mebibytes FROM system_views.disk_usage WHERE keyspace_name = ?"

// Stats implements store.Store: sizes are those of one node, in whole MiB. A user may
// lack the right to see them.
func (s *Store) Stats(ctx context.Context) (st store.Stats, err error) {
	sizes, err := allOf(ctx, s.requests, statement{tableSizes, []any{s.opts.Keyspace}, s.opts.pageRows}, func(iter *gocql.Iter) (mib int64, ok bool) {
		var name string
		ok = iter.Scan(&name, &mib)
		return mib, ok
	})
	if err != nil && codeOf(err) != gocql.ErrCodeUnauthorized && codeOf(err) != gocql.ErrCodeInvalid {
		return st, err
	}
	for _, mib := range sizes {
		st.DiskBytes += mib << 20
	}
	tables, err := s.tables(ctx)
	if err != nil {
		return st, err
	}
	for _, t := range tables {
		g, ok := generationOf(t)
		if !ok {
			continue
		}
		state, err := s.readState(ctx, g)
		if err != nil {
			return st, err
		}
		if state == stateCreated {
			st.Generations = append(st.Generations, g)
		}
	}
	return st, nil
}
