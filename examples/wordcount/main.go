// Command wordcount counts the words of a text file, and prints each as
// COUNT<TAB>WORD: the highest count first, equal counts by the bytes of the word.
// README.md tells more.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"speedlayer/topology"
)

const usage = `usage: wordcount [--data DIR] FILE

Prints each word of FILE as COUNT<TAB>WORD, the highest count first. Words are
separated by ASCII white space.

  --data DIR   keep queue and results in DIR: a second run over the same file
               counts nothing twice, and one that was killed is continued
`

// wordTopology is the topology: lines -> split -> word -> count.
func wordTopology() (*topology.Topology, *topology.Counts) {
	t := topology.New("wordcount")
	lines := topology.Source(t, "lines", topology.Text)
	split := topology.FlatMapSeq(lines, "split", fields)
	return t, topology.Count(topology.By(split, "word", topology.Itself), "count")
}

// fields gives the words of a line: what ASCII white space separates, as it does for
// tr '[:space:]'.
func fields(line string) iter.Seq[string] {
	return strings.FieldsFuncSeq(line, func(r rune) bool { return r == ' ' || '\t' <= r && r <= '\r' })
}

func main() {
	signal.Ignore(syscall.SIGPIPE) // a reader that has enough ends the output, not the program
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	flags := pflag.NewFlagSet("wordcount", pflag.ContinueOnError)
	flags.Usage = func() {}
	data := flags.String("data", "", "")
	switch err := flags.Parse(os.Args[1:]); {
	case errors.Is(err, pflag.ErrHelp):
		fmt.Print(usage)
		return
	case err != nil:
		exit(2, fmt.Errorf("%w\n%s", err, usage))
	case flags.NArg() != 1:
		exit(2, fmt.Errorf("there are %d arguments: allowed is one file\n%s", flags.NArg(), usage))
	case flags.Changed("data") && *data == "":
		exit(2, fmt.Errorf("--data is empty: allowed is a directory\n%s", usage))
	}
	if err := run(ctx, *data, flags.Arg(0), os.Stdout); err != nil && !errors.Is(err, syscall.EPIPE) {
		exit(1, err)
	}
}

func exit(status int, err error) {
	fmt.Fprintln(os.Stderr, "wordcount:", err)
	os.Exit(status)
}

// run counts a file and prints its words.
func run(ctx context.Context, data, file string, out io.Writer) (err error) {
	file, err = filepath.Abs(file) // the file's name in nonces
	if err != nil {
		return err
	}
	if _, err := os.Stat(file); err != nil {
		return err
	}
	if data == "" {
		if data, err = os.MkdirTemp("", "wordcount-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	}
	t, counts := wordTopology()
	job, err := topology.Run(ctx, t, topology.Config{Data: data})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, job.Close()) }()
	if err := job.FeedFile(ctx, file); err != nil {
		return err
	}
	if err := job.Settle(ctx); err != nil {
		return err
	}
	results, err := job.Query(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, results.Close()) }()
	w := bufio.NewWriterSize(out, 64<<10)
	for word, err := range counts.Ranked(ctx, results, topology.Range{}) {
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "%d\t%s\n", word.Count, word.Key); err != nil {
			return err
		}
	}
	return w.Flush()
}
