package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"speedlayer/batch/archive"
	"speedlayer/internal/objects"
)

func newArchive(io streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "archive status|files|check|compact|accept-loss",
		Short: "Look at the archive of the log, or merge its files",
		Long: `The archive is the whole log in Parquet files, from which batch runs compute
everything anew. "serve" keeps it up to date. These commands work on its files
alone, whether a server runs or not. A query of your own reads the files that
"archive files" lists: there may be others, which merging replaced.`,
		Example: "  speedlayer archive status\n  duckdb -c \"select kind, count(*) from read_parquet([$(speedlayer archive files --quote)]) group by kind\"",
		Args:    noCommand,
		RunE: func(*cobra.Command, []string) error {
			return usagef("archive needs a command: allowed are status, files, check, compact, accept-loss")
		},
	}
	cmd.AddCommand(newArchiveStatus(io), newArchiveFiles(io), newAcceptLoss(io),
		newArchiveCommand(io, "check", "Compare every file with what the manifest says of it", checkArchive),
		newArchiveCommand(io, "compact", "Merge small files now, and write again those of older versions; an archiver that runs meanwhile stands by for a while", compactArchive))
	return cmd
}

// archiveFlags report where an archive lies.
type archiveFlags struct{ url, data string }

func (f *archiveFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.url, "archive", "", "`URL` of the archive: "+archiveForms+" (default batch/archive in --data)")
	flags.StringVar(&f.data, "data", "speedlayer-data", "data `DIR`ectory of serve")
}

// open opens the archive, which must be there.
func (f *archiveFlags) open(ctx context.Context) (store objects.Store, url string, err error) {
	url = f.url
	if url == "" {
		if url, err = filepath.Abs(filepath.Join(f.data, "batch", "archive")); err != nil {
			return nil, "", err
		}
		if !exists(url) {
			return nil, "", usagef("--data %s: there is no archive in batch/archive; it may lie elsewhere: --archive URL", f.data)
		}
	}
	folder := archive.FileURL(url, "")
	if !strings.Contains(folder, "://") && !exists(folder) {
		return nil, "", usagef("--archive %s: there is no archive", url)
	}
	if store, err = objects.Open(url); err != nil {
		return nil, "", usageError{err}
	}
	return store, url, nil
}

// with opens the archive for a command.
func (f *archiveFlags) with(ctx context.Context, do func(objects.Store, *archive.Snapshot) error) (err error) {
	store, _, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	s, err := archive.New(store).Snapshot(ctx)
	if err != nil {
		return err
	}
	return do(store, s)
}

func newArchiveCommand(io streams, name, short string, do func(ctx context.Context, io streams, o objects.Store, s *archive.Snapshot) error) *cobra.Command {
	var f archiveFlags
	cmd := &cobra.Command{Use: name, Short: short, Example: "  speedlayer archive " + name, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd.Context(), func(o objects.Store, s *archive.Snapshot) error { return do(cmd.Context(), io, o, s) })
		}}
	f.add(cmd.Flags())
	return cmd
}

func newArchiveStatus(io streams) *cobra.Command {
	var f archiveFlags
	var asJSON bool
	cmd := &cobra.Command{Use: "status", Short: "What the archive has, and where it has holes", Example: "  speedlayer archive status --json", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd.Context(), func(_ objects.Store, s *archive.Snapshot) error {
				if asJSON {
					return json.NewEncoder(io.out).Encode(s.Manifest)
				}
				return printArchive(io.out, s.Manifest)
			})
		}}
	f.add(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the manifest")
	return cmd
}

func printArchive(out io.Writer, m *archive.Manifest) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "manifest\t%d\n", m.Number)
	print := func(name string, l *archive.Log) {
		var rows, bytes int64
		for _, f := range l.Files {
			rows, bytes = rows+f.Rows, bytes+f.Bytes
		}
		until := "nothing yet"
		if l.LogTime > 0 {
			until = "until " + time.UnixMilli(l.LogTime).UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s\toffsets [%d, %d)\t%s records in %d files, %s\t%s\n", name, l.Start, l.End, groups(rows), len(l.Files), humanize.IBytes(uint64(bytes)), until)
		for _, h := range l.Lost {
			fmt.Fprintf(w, "\tlost [%d, %d)\t%s%s\n", h.From, h.To, h.Reason, acceptance(h.Accepted))
		}
	}
	for i := range m.Shards {
		print(m.Shards[i].Shard().String(), &m.Shards[i])
	}
	for i := range m.Equivs {
		print(fmt.Sprintf("equiv edges, incarnation %d", m.Equivs[i].Epoch), &m.Equivs[i])
	}
	return w.Flush()
}

func newArchiveFiles(io streams) *cobra.Command {
	var f archiveFlags
	var quote, equivs bool
	cmd := &cobra.Command{Use: "files", Short: "The files of the log, one a line", Example: "  speedlayer archive files --equivs", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			store, url, err := f.open(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, store.Close()) }()
			s, err := archive.New(store).Snapshot(cmd.Context())
			if err != nil {
				return err
			}
			logs := s.Shards
			if equivs {
				logs = s.Equivs
			}
			return printFiles(io.out, url, logs, quote)
		}}
	f.add(cmd.Flags())
	cmd.Flags().BoolVar(&equivs, "equivs", false, "those of the equiv edges instead")
	cmd.Flags().BoolVar(&quote, "quote", false, "in single quotes with commas between, as SQL takes them")
	return cmd
}

func printFiles(out io.Writer, url string, logs []archive.Log, quote bool) error {
	n := 0
	for i := range logs {
		for _, f := range logs[i].Files {
			text := archive.FileURL(url, f.Name) + "\n"
			if quote {
				text = "'" + archive.FileURL(url, f.Name) + "'"
				if n > 0 {
					text = "," + text
				}
			}
			n++
			if _, err := io.WriteString(out, text); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkArchive opens every file, and reports where the log has holes.
func checkArchive(ctx context.Context, io streams, _ objects.Store, s *archive.Snapshot) error {
	var files, rows int64
	shown := newProgress(io.err, "check")
	defer shown.finish()
	total := s.FileCount()
	if err := s.CheckFiles(ctx, func(f archive.File) {
		files, rows = files+1, rows+f.Rows
		shown.update(files, int64(total), "files")
	}); err != nil {
		return err
	}
	if err := s.Covers(s.Vector()); err != nil {
		return err
	}
	holes := "no hole"
	if n := s.AcceptedLoss(s.Vector()); n > 0 {
		holes = fmt.Sprintf("no hole but %s offsets that were accepted as lost", groups(n))
	}
	if _, err := fmt.Fprintf(io.out, "%s records in %d files: all there, %s\n", groups(rows), files, holes); err != nil {
		return err
	}
	if n := s.OutdatedCount(); n > 0 {
		_, err := fmt.Fprintf(io.out, "%d files were written by an older version: Spark and parquet-java refuse most of them, and pandas cannot read them together; \"archive compact\" writes them again\n", n)
		return err
	}
	return nil
}

func compactArchive(ctx context.Context, io streams, o objects.Store, before *archive.Snapshot) error {
	a, err := archive.NewArchiver(archive.Config{Objects: o, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	after, err := a.Compact(ctx)
	if err = errors.Join(err, a.Close()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(io.out, "%d files are %d", before.FileCount(), after.FileCount())
	if n := before.OutdatedCount(); err == nil && n > 0 {
		_, err = fmt.Fprintf(io.out, "; %d of an older version were written again", n)
	}
	if err == nil {
		_, err = fmt.Fprintln(io.out)
	}
	return err
}
