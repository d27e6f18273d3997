package main

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"speedlayer/collector/accesslog"
	"speedlayer/collector/importer"
	"speedlayer/event"
)

// formatFlags report how lines are read.
type formatFlags struct {
	format, host, clientFrom, zone string
	trusted                        []string
	fields                         map[string]string
	lastLine                       bool
}

func formatNames() string {
	names := make([]string, 0, 12)
	for _, f := range append(accesslog.Formats(), importer.JSONLines) {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

func (f *formatFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.format, "format", "", "`FORMAT` of the lines: "+formatNames()+" (default: found from each file's first lines)")
	flags.StringVar(&f.host, "host", "", "`HOST` of the site whose log it is, for lines that name none")
	flags.StringVar(&f.clientFrom, "client-from", string(accesslog.Auto), "`WHICH` address is the client's: first; forwarded, where a line has a forwarded one (X-Forwarded-For); or auto: forwarded, if the first one is private or a trusted proxy's")
	flags.StringSliceVar(&f.trusted, "trusted-proxies", nil, "addresses or `CIDR`s of proxies whose forwarded addresses are believed (default: private addresses)")
	flags.StringToStringVar(&f.fields, "fields", nil, "`MEANING=NAME,...` of the fields of --format json, as in time=ts,client=ip; NAME may be a path with dots")
	flags.StringVar(&f.zone, "time-zone", "UTC", "`ZONE` of times that name none (haproxy, some JSON), as in Europe/Berlin")
	flags.BoolVar(&f.lastLine, "last-line", false, "a last line without a line end is whole: the file does not grow any more")
}

func (f *formatFlags) check() error {
	format := importer.Format(f.format)
	if format != "" && format != importer.JSONLines && !slices.Contains(accesslog.Formats(), format) {
		return usagef("--format %q: allowed are %s", f.format, formatNames())
	}
	switch format {
	case importer.Combined, importer.Common, accesslog.HAProxy:
		if f.host == "" {
			return usagef("--host is missing: lines of the format %s name no host, so say which site's log it is, as in --host example.org", format)
		}
	case importer.JSONLines:
		if f.host != "" {
			return usagef("--host is not used with --format jsonl: its lines have urls")
		}
	}
	if f.host != "" {
		if _, err := event.Domain(f.host); err != nil {
			return usagef("--host %q: %w", f.host, err)
		}
	}
	if c := accesslog.ClientFrom(f.clientFrom); c != accesslog.Auto && c != accesslog.First && c != accesslog.Forwarded {
		return usagef("--client-from %q: allowed are auto, first, forwarded", f.clientFrom)
	}
	for name := range f.fields {
		if !slices.Contains(accesslog.FieldNames(), name) {
			return usagef("--fields %q: allowed meanings are %s", name, strings.Join(accesslog.FieldNames(), ", "))
		}
	}
	if _, err := time.LoadLocation(f.zone); err != nil {
		return usagef("--time-zone %q: allowed are UTC, Local and names as Europe/Berlin", f.zone)
	}
	_, err := parsePrefixes(f.trusted)
	return err
}

// options are those of flags that were checked.
func (f *formatFlags) options() accesslog.Options {
	trusted, _ := parsePrefixes(f.trusted)
	zone, _ := time.LoadLocation(f.zone)
	return accesslog.Options{ClientFrom: accesslog.ClientFrom(f.clientFrom), Trusted: trusted, Fields: f.fields, Zone: zone}
}
