package webanalytics

import (
	"encoding/binary"
	"errors"
	"slices"
	"sort"

	"speedlayer/topology"
)

// gap is how far apart two views of one visit may lie, in ms.
const gap = 30 * 60 * 1000

// visit is an interval of views, each at most gap after the one before.
type visit struct {
	start, end int64
	several    bool // more than one view: no bounce
}

// visits are those of one person and domain, by their start.
type visits []visit

// change is what a view changes in the visits and bounces of an hour.
type change struct {
	domain          string
	at              int64 // ms: in which hour
	visits, bounces int64
}

// add takes a view. A visit needs no timer: the first view of one adds a visit and a
// bounce, the second takes the bounce back. A late view may extend, move or join
// visits, and changes by the difference.
func (all visits) add(v *View) (visits, []change) {
	t := v.Millis
	n := sort.Search(len(all), func(i int) bool { return all[i].start > t })
	before := n > 0 && t <= all[n-1].end+gap
	after := n < len(all) && all[n].start-gap <= t
	var out []change
	add := func(at, visits, bounces int64) { out = append(out, change{v.Domain, at, visits, bounces}) }
	grow := func(x *visit) {
		if !x.several {
			x.several = true
			add(x.start, 0, -1)
		}
	}
	switch {
	case before && after: // it joins two
		a, b := &all[n-1], &all[n]
		grow(a)
		grow(b)
		add(b.start, -1, 0)
		a.end = b.end
		all = slices.Delete(all, n, n+1)
	case before:
		grow(&all[n-1])
		all[n-1].end = max(all[n-1].end, t)
	case after:
		grow(&all[n])
		add(all[n].start, -1, 0)
		add(t, 1, 0)
		all[n].start = t
	default:
		add(t, 1, 1)
		all = slices.Insert(all, n, visit{start: t, end: t})
	}
	return all, out
}

// visitsCodec is for snapshots: start, length and kind of each as varints.
var visitsCodec = topology.Codec[visits]{
	Name: "visits",
	Append: func(dst []byte, all visits) []byte {
		for _, v := range all {
			dst = binary.AppendVarint(binary.AppendVarint(dst, v.start), v.end-v.start)
			dst = append(dst, map[bool]byte{true: 1}[v.several])
		}
		return dst
	},
	Decode: func(b []byte) (all visits, err error) {
		for len(b) > 0 {
			start, n := binary.Varint(b)
			length, m := binary.Varint(b[max(n, 0):])
			if n <= 0 || m <= 0 || len(b) == n+m {
				return nil, errors.New("visits are cut off")
			}
			all = append(all, visit{start, start + length, b[n+m] == 1})
			b = b[n+m+1:]
		}
		return all, nil
	},
}
