package cassandra

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"speedlayer/store"
)

// state returns what is known of a generation, or "" if it was never created. The
// remembered state may be out of date: created, and dropped since by another process.
// Then the table is missing, and whyFailed looks again.
func (s *Store) state(ctx context.Context, g uint32) (string, error) {
	s.mu.Lock()
	state, ok := s.mu.generations[g]
	s.mu.Unlock()
	if ok {
		return state, nil
	}
	return s.readState(ctx, g)
}

func (s *Store) readState(ctx context.Context, g uint32) (string, error) {
	v, err := s.readSerial(ctx, generationRow(g))
	if err != nil || v.value == nil {
		return "", err
	}
	s.remember(g, string(v.value))
	return string(v.value), nil
}

// remember keeps a state. A dropped generation never becomes created again.
func (s *Store) remember(g uint32, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.generations[g] != stateDropped {
		s.mu.generations[g] = state
	}
}

// whyFailed is asked when a request for cells of a generation failed. gone reports that
// the generation was dropped, or is below the lowest in the list of the pointer. Its
// cells then count as nothing, and that is not an error. Otherwise the error stays
// one: a table that should exist and does not is a fault, and the shard waits.
func (s *Store) whyFailed(ctx context.Context, g uint32, failed error) (gone bool, err error) {
	state, err := s.readState(ctx, g)
	if err != nil {
		return false, errors.Join(failed, err)
	}
	switch {
	case state == stateDropped:
		return true, nil
	case state == "":
		return false, fmt.Errorf("%w: %d", store.ErrNoGeneration, g)
	case !isNoTable(failed):
		return false, failed
	}
	p, err := s.Pointer(ctx)
	if err != nil {
		return false, err
	}
	if len(p.Generations) > 0 && g < slices.Min(p.Generations) {
		return true, nil
	}
	return false, fmt.Errorf("%w: %d was created, but table %s is gone", store.ErrNoGeneration, g, cellsTable(g))
}

// tableTime bounds the creation or dropping of tables.
const tableTime = 2 * time.Minute

// define runs a statement that changes tables. Doing it twice does no harm. Its answer
// may come after all nodes have learned of it, which takes longer than other requests.
func (s *Store) define(ctx context.Context, text string) error {
	return s.requests.retry(ctx, func() error {
		session, err := s.requests.session()
		if err != nil {
			return err
		}
		return session.Query(text).Consistency(s.opts.Consistency).ExecContext(ctx)
	})
}

// CreateGeneration implements store.Control. It creates the table first, then the row
// that records it: a crash in between leaves a table that the next call finds. The row
// decides: a process that finds it dropped removes the table again.
func (s *Store) CreateGeneration(ctx context.Context, g uint32) error {
	state, err := s.readState(ctx, g)
	if err != nil {
		return err
	}
	switch state {
	case stateDropped:
		return fmt.Errorf("%w: %d", store.ErrDropped, g)
	case stateCreated:
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, tableTime)
	defer cancel()
	if err := s.define(ctx, s.createTable(cellsTable(g), s.layout.Salt, cellsColumns, "")); err != nil {
		return fmt.Errorf("generation %d: %w", g, err)
	}
	won, err := s.swap(ctx, generationRow(g), nil, []byte(stateCreated))
	if err != nil {
		return err
	}
	if won {
		s.remember(g, stateCreated)
		return nil
	}
	if state, err = s.readState(ctx, g); err != nil || state == stateCreated {
		return err
	}
	if err := s.dropTable(ctx, cellsTable(g)); err != nil {
		return fmt.Errorf("generation %d: %w", g, err)
	}
	return fmt.Errorf("%w: %d", store.ErrDropped, g)
}

func (s *Store) dropTable(ctx context.Context, table string) error {
	return s.define(ctx, "DROP TABLE IF EXISTS "+s.opts.Keyspace+"."+table)
}

// DropGeneration implements store.Control. It writes the row first, so that a put that
// finds no table knows why, and then drops the table. A crash in between leaves a table
// that the next drop, of this generation or another, removes.
func (s *Store) DropGeneration(ctx context.Context, g uint32) error {
	ctx, cancel := context.WithTimeout(ctx, tableTime)
	defer cancel()
	for {
		state, err := s.readState(ctx, g)
		if err != nil {
			return err
		}
		if state == stateDropped {
			break
		}
		var from []byte
		if state != "" {
			from = []byte(state)
		}
		won, err := s.swap(ctx, generationRow(g), from, []byte(stateDropped))
		if err != nil {
			return err
		}
		if won {
			s.remember(g, stateDropped)
			break
		}
	}
	if err := s.sweep(ctx); err != nil {
		return fmt.Errorf("generation %d: %w", g, err)
	}
	return nil
}

// sweep removes the tables of all dropped generations.
func (s *Store) sweep(ctx context.Context) error {
	tables, err := s.tables(ctx)
	if err != nil {
		return err
	}
	for _, t := range tables {
		g, ok := generationOf(t)
		if !ok {
			continue
		}
		state, err := s.readState(ctx, g)
		if err != nil {
			return err
		}
		if state != stateDropped {
			continue
		}
		if err := s.dropTable(ctx, t); err != nil {
			return fmt.Errorf("table %s: %w", t, err)
		}
	}
	return nil
}

const listTables = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?"

// tables returns the names of all tables of the keyspace, as one node knows them.
func (s *Store) tables(ctx context.Context) ([]string, error) {
	return allOf(ctx, s.requests, statement{listTables, []any{s.opts.Keyspace}, s.opts.pageRows}, func(iter *gocql.Iter) (name string, ok bool) {
		ok = iter.Scan(&name)
		return name, ok
	})
}
