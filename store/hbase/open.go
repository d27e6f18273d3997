package hbase

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tsuna/gohbase/pb"

	"speedlayer/store"
	"speedlayer/store/hbase/client"
)

// Store implements store.Store.
type Store struct {
	opts   Options
	names  names
	client *client.Client
	master *client.Master
	put    atomic.Int64 // rows of cells, acknowledged

	mu struct {
		sync.Mutex
		generations map[uint32]string // state, only as read; it never goes back
		pending     map[store.Shard]pendingSnapshot
		committed   map[store.Shard]int64 // offset of a commit row that was read or written; by now it may be higher
	}
}

// openTime bounds the checks at start and the creation of the control table.
const openTime = 15 * time.Second

// Open connects to HBase. It checks that the version is supported and that the
// tables with the prefix have this layout, and only then creates what is missing.
// Errors name the part of --store to change.
func Open(ctx context.Context, o Options) (*Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("--store hbase://: %w", err)
	}
	s := &Store{opts: o, names: names{o.Prefix}, master: client.NewMaster(o.client())}
	s.mu.generations = make(map[uint32]string)
	s.mu.pending = make(map[store.Shard]pendingSnapshot)
	s.mu.committed = make(map[store.Shard]int64)
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	if err := s.open(ctx); err != nil {
		s.master.Close()
		if s.client != nil {
			s.client.Close()
		}
		return nil, fmt.Errorf("--store hbase://%s%s?prefix=%s: %w", strings.Join(o.Quorum, ","), o.ZNode, o.Prefix, hint(err, o))
	}
	return s, nil
}

// hint returns what to change where HBase's own message does not tell.
func hint(err error, o Options) error {
	switch {
	case client.IsClass(err, "AccessDeniedException"):
		return fmt.Errorf("%w; user %q lacks rights: name another with &user=", err, o.User)
	case client.IsClass(err, "NamespaceNotFoundException"):
		ns, _, _ := strings.Cut(o.Prefix, ":")
		return fmt.Errorf("%w; make namespace %q first, or take another prefix", err, ns)
	}
	return err
}

func (s *Store) open(ctx context.Context) error {
	status, err := s.master.Status(ctx)
	if err != nil {
		return err
	}
	if err := checkVersion(status); err != nil {
		return err
	}
	tables, err := s.master.Tables(ctx, s.names.prefix+"_")
	if err != nil {
		return err
	}
	s.client = client.New(s.opts.client())
	fresh := true
	for _, t := range tables {
		fresh = fresh && t != s.names.control()
	}
	if fresh && len(tables) > 0 {
		return fmt.Errorf("there are tables like %s, but no %s: take another prefix", tables[0], s.names.control())
	}
	if fresh {
		if err := s.create(ctx, s.names.control(), []string{controlFamily}, nil); err != nil {
			return err
		}
	}
	return s.checkLayout(ctx)
}

// oldest is the first version of HBase whose protocol we speak.
const oldestMajor, oldestMinor = 2, 4

func checkVersion(status *pb.ClusterStatus) error {
	version := status.GetHbaseVersion().GetVersion()
	parts := strings.SplitN(version, ".", 3)
	if len(parts) >= 2 {
		major, err1 := strconv.Atoi(parts[0])
		minor, err2 := strconv.Atoi(parts[1])
		if err1 == nil && err2 == nil && major == oldestMajor && minor >= oldestMinor {
			return nil
		}
	}
	return fmt.Errorf("HBase is version %q: allowed are %d.%d and later of %d (2.6.4 was tested): name another cluster", version, oldestMajor, oldestMinor, oldestMajor)
}

// checkLayout reads the layout row, and writes it into a table that is still
// empty.
func (s *Store) checkLayout(ctx context.Context) error {
	have, err := s.client.Value(ctx, s.names.control(), layoutRow, controlFamily, versionColumn)
	if client.IsClass(err, "NoSuchColumnFamilyException") {
		return fmt.Errorf("table %s is none of speedlayer's: take another prefix", s.names.control())
	}
	if err != nil {
		return err
	}
	if have == nil {
		first, _, err := s.client.Next(ctx, &client.Scan{Table: s.names.control(), Rows: 1})
		if err != nil {
			return err
		}
		// Another process that starts may have written it between the two reads.
		if len(first) > 0 {
			if have, err = s.client.Value(ctx, s.names.control(), layoutRow, controlFamily, versionColumn); err != nil {
				return err
			}
		}
		if len(first) > 0 && have == nil {
			return fmt.Errorf("table %s has rows, but none that names its layout: take another prefix", s.names.control())
		}
		won, err := swap(ctx, s.client, s.names.control(), layoutRow, versionColumn, nil, []byte(layoutVersion))
		if err != nil || won {
			return err
		}
		return s.checkLayout(ctx) // another process was first
	}
	if v := string(have.Value); v != layoutVersion {
		return fmt.Errorf("table %s has layout %q, this program's is %s: take another prefix, or the program that wrote it", s.names.control(), v, layoutVersion)
	}
	return nil
}

// create makes a table with our families, which keep only the newest version. They
// have no time to live: timestamps are versions, and HBase would compare them with
// the clock.
func (s *Store) create(ctx context.Context, table string, families []string, splits [][]byte) error {
	// Most reads are of scattered rows, which ROW_INDEX_V1 finds in a block directly.
	// A cell is put again and again: its older versions are removed from memory before
	// it is flushed or searched.
	encoding, compaction := "ROW_INDEX_V1", "EAGER"
	if slices.Equal(families, []string{stateFamily}) {
		// Chunks are large, and encoding costs time by size; and they are put only once.
		encoding, compaction = "NONE", "NONE"
	}
	durability := "FSYNC_WAL"
	if s.opts.Durability == "hflush" {
		durability = "SYNC_WAL"
	}
	err := s.master.Create(ctx, table, families, map[string]string{
		"VERSIONS":             "1",
		"BLOOMFILTER":          "ROW",
		"DATA_BLOCK_ENCODING":  encoding,
		"IN_MEMORY_COMPACTION": compaction,
		"COMPRESSION":          strings.ToUpper(s.opts.Compression),
	}, durability, splits)
	if s.opts.Compression != "none" && client.IsClass(err, "DoNotRetryIOException") { // they try it out before they make a table
		return fmt.Errorf("table %s: %w; the servers seem to lack compression %s: take compression=none or gz", table, err, s.opts.Compression)
	}
	if err != nil {
		return fmt.Errorf("table %s: %w", table, err)
	}
	return nil
}

// Close closes all connections. Everything acknowledged is already durable.
func (s *Store) Close() error {
	s.client.Close()
	s.master.Close()
	return nil
}

// Faults implements store.CountsFaults.
func (s *Store) Faults() store.Faults { return s.client.Faults() }

// Rows returns how many rows of cells were put and acknowledged since the start.
func (s *Store) Rows() int64 { return s.put.Load() }

// Stats implements store.Store: it returns what the master knows of our tables'
// regions, in whole MiB and some seconds old.
func (s *Store) Stats(ctx context.Context) (st store.Stats, err error) {
	status, err := s.master.Status(ctx)
	if err != nil {
		return st, err
	}
	for _, server := range status.GetLiveServers() {
		for _, r := range server.GetServerLoad().GetRegionLoads() {
			if strings.HasPrefix(string(r.GetRegionSpecifier().GetValue()), s.names.prefix+"_") {
				st.DiskBytes += int64(r.GetStorefileSize_MB()) << 20
				st.MemoryBytes += int64(r.GetMemstoreSize_MB()) << 20
			}
		}
	}
	all, err := s.allGenerations(ctx)
	if err != nil {
		return st, err
	}
	for _, g := range all {
		if g.state == stateCreated {
			st.Generations = append(st.Generations, g.number)
		}
	}
	return st, nil
}
