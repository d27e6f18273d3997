package views

import (
	"slices"

	"speedlayer/store"
)

// These are the views, with the same numbers as in realtime keys.
const (
	Pageviews store.ViewID = 1 // page or domain -> crdt count
	Uniques   store.ViewID = 2 // page or domain -> crdt visitors
	Bounces   store.ViewID = 3 // domain -> Visits
)

// Granularity is the length of a bucket. Buckets count from 1970-01-01T00:00Z
// and nest: h = seconds/3600, d = h/24, w = d/7, m = d/28. The numbers are stored
// on disk.
type Granularity uint8

// The granularities.
const (
	Hour  Granularity = 0
	Day   Granularity = 1
	Week  Granularity = 2
	Month Granularity = 3 // 28 days
)

// Granularities lists all granularities, the shortest first.
var Granularities = [...]Granularity{Hour, Day, Week, Month}

var hoursOf = [...]int32{1, 24, 7 * 24, 28 * 24}

func (g Granularity) String() string { return [...]string{"hour", "day", "week", "month"}[g] }

// Hours returns the length of a bucket in hours.
func (g Granularity) Hours() int32 { return hoursOf[g] }

// Bucket returns the number of the bucket that contains an hour.
func (g Granularity) Bucket(hour int32) int32 { return hour / hoursOf[g] }

// Piece is a range of buckets: From <= bucket < To.
type Piece struct {
	Granularity Granularity
	From, To    int32
}

// Hours returns the range of hours of a piece.
func (p Piece) Hours() (from, to int32) {
	return p.From * p.Granularity.Hours(), p.To * p.Granularity.Hours()
}

// Cover splits the hours from <= hour < to into the fewest buckets: months
// where whole ones fit, then weeks, days and hours, in order of time. The hours
// of apart (ascending) stay separate, each in a piece of granularity Hour: an hour
// to which an open generation adds visits must be read separately (law 8).
// Adjacent buckets of one granularity form one piece.
func Cover(from, to int32, apart []int32) (pieces []Piece) {
	for hour := max(0, from); hour < to; {
		i, _ := slices.BinarySearch(apart, hour)
		end := to
		if i < len(apart) {
			end = min(to, apart[i])
		}
		g := largest(hour, end)
		if n := len(pieces); n > 0 && pieces[n-1].Granularity == g {
			pieces[n-1].To++
		} else {
			pieces = append(pieces, Piece{g, g.Bucket(hour), g.Bucket(hour) + 1})
		}
		hour += g.Hours()
	}
	return pieces
}

// largest returns the longest bucket that begins at hour and ends no later than end,
// or an hour if there is none.
func largest(hour, end int32) Granularity {
	for g := Month; g > Hour; g-- {
		if hour%g.Hours() == 0 && g.Hours() <= end-hour {
			return g
		}
	}
	return Hour
}
