package hbase

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/tsuna/gohbase/pb"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"speedlayer/store"
	"speedlayer/store/hbase/client"
	"speedlayer/store/parts"
)

// lookup is one get of a look-up: the columns of one url and hour, for all
// requested views.
type lookup struct {
	keys []int // positions in the caller's keys
	get  client.Action
}

// lookupRows bounds the gets of one request.
const lookupRows = 1000

// Cells implements store.Writer. Sorted keys of one url and hour become one get.
// Most cells do not exist at all, and the row filters of the files tell so without
// a read.
func (s *Store) Cells(ctx context.Context, id store.Shard, keys []store.Key, fn func(i int, version int64, value []byte) error) error {
	for begin, i := 0, 1; i <= len(keys); i++ {
		if i < len(keys) && keys[i].Generation == keys[begin].Generation {
			continue
		}
		base := begin
		if err := s.lookUp(ctx, id, keys[begin:i], func(i int, version int64, value []byte) error {
			return fn(base+i, version, value)
		}); err != nil {
			return err
		}
		begin = i
	}
	return nil
}

// lookUp reads the cells of one generation.
func (s *Store) lookUp(ctx context.Context, id store.Shard, keys []store.Key, fn func(i int, version int64, value []byte) error) error {
	g := keys[0].Generation
	state, err := s.state(ctx, g)
	if err != nil {
		return err
	}
	if state == "" {
		return fmt.Errorf("%w: %d", store.ErrNoGeneration, g)
	}
	if state == stateDropped {
		return nil
	}
	groups := s.lookups(id, keys)
	var one sync.Mutex // serialises the calls of fn
	var stop error
	var merged parts.Merger
	all, within := errgroup.WithContext(ctx)
	all.SetLimit(s.opts.Parallel)
	for _, group := range groups {
		for len(group) > 0 {
			part := group[:min(len(group), lookupRows)]
			group = group[len(part):]
			all.Go(func() error {
				actions := make([]client.Action, len(part))
				for i := range part {
					actions[i] = part[i].get
				}
				return s.client.Many(within, s.names.cells(g), actions, func(i int, cells []byte) error {
					one.Lock()
					defer one.Unlock()
					if stop == nil {
						stop = found(cells, keys, part[i].keys, id, &merged, fn)
					}
					return stop
				})
			})
		}
	}
	err = all.Wait()
	if stop != nil {
		return stop
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	if gone, err := s.whyFailed(ctx, g, err); !gone {
		return err
	}
	return nil
}

// lookups makes the gets, grouped by the region in which their rows are at first.
// Usually the keys of each view are sorted, and then those of one url and hour come
// together here.
func (s *Store) lookups(id store.Shard, keys []store.Key) [][]lookup {
	groups := make([][]lookup, s.opts.Regions)
	var heads [][2]int // the remaining keys of each run of one view
	for begin, i := 0, 1; i <= len(keys); i++ {
		if i == len(keys) || keys[i].View != keys[begin].View {
			heads = append(heads, [2]int{begin, i})
			begin = i
		}
	}
	gets := getter{id: id}
	for {
		first := -1
		for h := range heads {
			if heads[h][0] < heads[h][1] && (first < 0 || hourBefore(&keys[heads[h][0]], &keys[first])) {
				first = heads[h][0]
			}
		}
		if first < 0 {
			return groups
		}
		var l lookup
		for h := range heads {
			if i := heads[h][0]; i < heads[h][1] && keys[i].URL == keys[first].URL && keys[i].Hour == keys[first].Hour {
				l.keys = append(l.keys, i)
				heads[h][0]++
			}
		}
		l.get = gets.get(keys, l.keys)
		at := bucketOf(keys[first].URL) * s.opts.Regions / buckets
		groups[at] = append(groups[at], l)
	}
}

func hourBefore(a, b *store.Key) bool {
	if a.URL != b.URL {
		return a.URL < b.URL
	}
	return a.Hour < b.Hour
}

// getter makes the gets of one shard. It keeps the filter of the last hour.
type getter struct {
	id     store.Shard
	day    dayText
	hour   int32
	filter []byte
}

// get asks for the columns of one url, hour and shard, in the families of the
// views: the whole cells, and the deltas after them.
//
//	Get     1: row | 2: Column ... | 4: Filter
//	Column  1: family
func (g *getter) get(keys []store.Key, of []int) client.Action {
	k := &keys[of[0]]
	row := g.day.append(appendURLRow(nil, k.URL), k.Hour/hoursADay)
	get := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), row)
	for _, i := range of {
		column := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), family(keys[i].View))
		get = protowire.AppendBytes(protowire.AppendTag(get, 2, protowire.BytesType), column)
	}
	if g.filter == nil || g.hour != k.Hour {
		low := appendQualifier(nil, k.Hour%hoursADay, g.id, 0)
		g.hour, g.filter = k.Hour, encoded(client.ColumnRange(low, append(bytes.Clone(low), '/'+1)))
	}
	get = protowire.AppendBytes(protowire.AppendTag(get, 4, protowire.BytesType), g.filter)
	return client.Action{Row: row, Get: get}
}

// encoded is an encoded filter. It has all fields that it needs.
func encoded(f *pb.Filter) []byte {
	b, err := proto.Marshal(f)
	if err != nil {
		panic(err)
	}
	return b
}

// found matches the cells of one row to the keys that asked for them.
func found(cells []byte, keys []store.Key, of []int, id store.Shard, u *parts.Merger, fn func(i int, version int64, value []byte) error) error {
	for len(cells) > 0 {
		kv, _, err := client.NextKeyValue(cells)
		if err != nil {
			return err
		}
		u.Reset()
		view := kv.Family
		if cells, err = partsOf(cells, view, &keys[of[0]], id, u); err != nil {
			return err
		}
		if u.Len() == 0 {
			continue
		}
		version, value, err := u.Cell()
		if err != nil {
			return err
		}
		for _, i := range of {
			if family(keys[i].View) == string(view) {
				if err := fn(i, version, value); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// partsOf takes the cells of one family from the front, and passes to u those that
// have the hour and shard of the key.
func partsOf(cells, view []byte, k *store.Key, id store.Shard, u *parts.Merger) (rest []byte, err error) {
	for len(cells) > 0 {
		kv, behind, err := client.NextKeyValue(cells)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(kv.Family, view) {
			return cells, nil
		}
		cells = behind
		hour, shard, delta, err := parseQualifier(kv.Qualifier)
		if err != nil {
			return nil, err
		}
		value := kv.Value
		if hashed(k.URL) {
			var url []byte
			if url, value, err = urlOfValue(value); err != nil {
				return nil, err
			}
			if string(url) != k.URL {
				return nil, fmt.Errorf("%w: the row of %.80q holds cells of %.80q", store.ErrCorrupt, k.URL, url)
			}
		}
		if shard == id && hour == k.Hour%hoursADay {
			u.Add(parts.Part{Version: int64(kv.Timestamp), Value: value, Delta: delta > 0})
		}
	}
	return nil, nil
}
