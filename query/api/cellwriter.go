package api

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"speedlayer/query"
)

// csvHeader names the columns of a CSV export, the same for every view. Columns
// that a view does not have are empty.
var csvHeader = []string{"view", "url", "hour", "pageviews", "visitors", "exact", "visits", "bounces"}

// NewCellWriter returns a function that writes the cells of an export, and one
// to call after the last cell. Format is "jsonl" or "" (one object a line), or
// "csv" (RFC 4180, with a header). Errors of bad formats are *Error.
func NewCellWriter(w io.Writer, format string) (write func(query.Cell) error, finish func() error, err error) {
	switch format {
	case "", "jsonl":
		return func(c query.Cell) error { return encode(w, c) }, func() error { return nil }, nil
	case "csv":
		write, finish = csvWriter(w)
		return write, finish, nil
	}
	return nil, nil, query.BadRequest("format", fmt.Sprintf("%q is not a format", query.Shown(format)), "jsonl, csv")
}

func csvWriter(w io.Writer) (write func(query.Cell) error, finish func() error) {
	out := csv.NewWriter(w)
	begun := false
	begin := func() error {
		if begun {
			return nil
		}
		begun = true
		return out.Write(csvHeader)
	}
	write = func(c query.Cell) error {
		if err := begin(); err != nil {
			return err
		}
		row := []string{c.View, c.URL, c.Hour, "", "", "", "", ""}
		for i, n := range []*uint64{c.Pageviews, c.Visitors} {
			if n != nil {
				row[3+i] = strconv.FormatUint(*n, 10)
			}
		}
		if c.Exact != nil {
			row[5] = strconv.FormatBool(*c.Exact)
		}
		for i, n := range []*int64{c.Visits, c.Bounces} {
			if n != nil {
				row[6+i] = strconv.FormatInt(*n, 10)
			}
		}
		return out.Write(row)
	}
	finish = func() error {
		if err := begin(); err != nil {
			return err
		}
		out.Flush()
		return out.Error()
	}
	return write, finish
}
