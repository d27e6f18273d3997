package client

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tsuna/gohbase/hrpc"
	"github.com/tsuna/gohbase/pb"
	"github.com/tsuna/gohbase/region"
	"google.golang.org/protobuf/proto"

	"speedlayer/store"
)

// Master sends requests to the active master: for tables, and for the status of
// the cluster. It has one connection at a time. gohbase's own client for the
// master cannot be closed and does not know namespaces.
type Master struct {
	opts Options

	mu     sync.Mutex // held while a request is under way: they are rare
	conn   hrpc.RegionClient
	closed bool
}

// masterCall is any request to the master.
type masterCall struct {
	request
	ask, answer proto.Message
}

func (c *masterCall) ToProto() proto.Message     { return c.ask }
func (c *masterCall) NewResponse() proto.Message { return c.answer }

// NewMaster returns a client of the master. It connects with the first request.
// The caller closes it.
func NewMaster(o Options) *Master {
	guard(o.Logger)
	return &Master{opts: o}
}

// Close closes the connection. A request under way fails.
func (m *Master) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.drop()
}

func (m *Master) drop() {
	if m.conn != nil {
		m.conn.Close()
		m.conn = nil
	}
}

// ask sends a request until the master answers, or ctx ends. While masters change,
// and while one starts, that takes some seconds.
func (m *Master) ask(ctx context.Context, name string, ask, answer proto.Message) error {
	pause := 50 * time.Millisecond
	for {
		err := m.once(ctx, name, ask, answer)
		if err == nil || !startingUp(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w (%w)", name, err, ctx.Err())
		case <-time.After(pause):
		}
		pause = min(2*pause, time.Second)
	}
}

// startingUp reports whether a master may give another answer in a moment.
func startingUp(err error) bool {
	var wrongPath errNoHBase
	var dns *net.DNSError
	if errors.As(err, &wrongPath) || errors.As(err, &dns) || errors.Is(err, store.ErrClosed) {
		return false
	}
	var e *javaError
	if !errors.As(err, &e) {
		return true // of the connection
	}
	return slices.ContainsFunc([]string{"PleaseHoldException", "ServerNotRunningYetException", "MasterNotRunningException",
		"MasterStoppedException", "CallQueueTooBigException", "NotAllMetaRegionsOnlineException"}, func(c string) bool { return strings.HasSuffix(e.class, "."+c) })
}

func (m *Master) once(ctx context.Context, name string, ask, answer proto.Message) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return store.ErrClosed
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if m.conn == nil {
		addr, err := m.opts.locateMaster(ctx)
		if err != nil {
			return err
		}
		conn := region.NewClient(addr, region.MasterClient, 1, 0, m.opts.User, 10*time.Second, nil)
		if err := conn.Dial(ctx); err != nil {
			return fmt.Errorf("master at %s: %w", addr, err)
		}
		m.conn = conn
	}
	c := &masterCall{request: newRequest(ctx, name, "", nil), ask: ask, answer: proto.Clone(answer)}
	go m.conn.QueueRPC(c) // ignores ctx while it writes; ends with the connection
	select {
	case r := <-c.result:
		err := plainly(r.Error)
		var e *javaError
		if err != nil && !errors.As(err, &e) {
			m.drop()
		}
		if err == nil {
			proto.Reset(answer)
			proto.Merge(answer, r.Msg)
		}
		return err
	case <-ctx.Done():
		m.drop()
		return fmt.Errorf("no answer from the master: %w", ctx.Err())
	}
}

// Status returns the status of the cluster: its version, servers and regions.
func (m *Master) Status(ctx context.Context) (*pb.ClusterStatus, error) {
	var answer pb.GetClusterStatusResponse
	err := m.ask(ctx, "GetClusterStatus", &pb.GetClusterStatusRequest{}, &answer)
	return answer.GetClusterStatus(), err
}

// tableName splits a name into namespace and table.
func tableName(table string) *pb.TableName {
	ns, name, ok := strings.Cut(table, ":")
	if !ok {
		ns, name = "default", table
	}
	return &pb.TableName{Namespace: []byte(ns), Qualifier: []byte(name)}
}

// Tables lists the tables whose names begin with prefix.
func (m *Master) Tables(ctx context.Context, prefix string) (all []string, err error) {
	var answer pb.GetTableNamesResponse
	if err := m.ask(ctx, "GetTableNames", &pb.GetTableNamesRequest{}, &answer); err != nil {
		return nil, err
	}
	for _, t := range answer.GetTableNames() {
		name := string(t.GetQualifier())
		if ns := string(t.GetNamespace()); ns != "default" {
			name = ns + ":" + name
		}
		if strings.HasPrefix(name, prefix) {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all, nil
}

// Create creates a table with the attributes for each of its families, and waits
// until it is there. It is not an error if the table exists. A request that is
// repeated with the same nonce gets the first one's answer.
func (m *Master) Create(ctx context.Context, table string, families []string, attributes map[string]string, durability string, splits [][]byte) error {
	schema := &pb.TableSchema{TableName: tableName(table), Attributes: []*pb.BytesBytesPair{
		{First: []byte("DURABILITY"), Second: []byte(durability)},
	}}
	for _, f := range families {
		cf := &pb.ColumnFamilySchema{Name: []byte(f)}
		for k, v := range attributes {
			cf.Attributes = append(cf.Attributes, &pb.BytesBytesPair{First: []byte(k), Second: []byte(v)})
		}
		schema.ColumnFamilies = append(schema.ColumnFamilies, cf)
	}
	group, nonce := nonces()
	var answer pb.CreateTableResponse
	err := m.ask(ctx, "CreateTable", &pb.CreateTableRequest{TableSchema: schema, SplitKeys: splits, NonceGroup: group, Nonce: nonce}, &answer)
	if err == nil {
		err = m.wait(ctx, answer.ProcId)
	}
	if IsClass(err, "TableExistsException") {
		return nil
	}
	return err
}

// Remove disables and deletes a table, and waits until it is gone. It is not an
// error if the table does not exist.
func (m *Master) Remove(ctx context.Context, table string) error {
	name := tableName(table)
	group, nonce := nonces()
	var disabled pb.DisableTableResponse
	err := m.ask(ctx, "DisableTable", &pb.DisableTableRequest{TableName: name, NonceGroup: group, Nonce: nonce}, &disabled)
	if err == nil {
		err = m.wait(ctx, disabled.ProcId)
	}
	if IsClass(err, "TableNotFoundException") {
		return nil
	}
	if err != nil && !IsClass(err, "TableNotEnabledException") {
		return err
	}
	group, nonce = nonces()
	var deleted pb.DeleteTableResponse
	err = m.ask(ctx, "DeleteTable", &pb.DeleteTableRequest{TableName: name, NonceGroup: group, Nonce: nonce}, &deleted)
	if err == nil {
		err = m.wait(ctx, deleted.ProcId)
	}
	if IsClass(err, "TableNotFoundException") {
		return nil
	}
	return err
}

// wait waits for a procedure of the master. A procedure that the master no longer
// knows is done: the master forgets procedures some time after their end.
func (m *Master) wait(ctx context.Context, id *uint64) error {
	if id == nil {
		return errors.New("hbase: the master did not name the procedure that it began")
	}
	pause := 10 * time.Millisecond
	for {
		var r pb.GetProcedureResultResponse
		if err := m.ask(ctx, "getProcedureResult", &pb.GetProcedureResultRequest{ProcId: id}, &r); err != nil {
			return err
		}
		if r.GetState() != pb.GetProcedureResultResponse_RUNNING {
			if e := r.GetException().GetGenericException(); e != nil {
				return &javaError{e.GetClassName(), e.GetMessage()}
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, 200*time.Millisecond)
	}
}

func nonces() (group, nonce *uint64) {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	g, n := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	return &g, &n
}
