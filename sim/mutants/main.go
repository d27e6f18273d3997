package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

func main() {
	list := flag.Bool("list", false, "print the names only")
	flag.Parse()
	if *list {
		for _, m := range mutants {
			fmt.Println(m.name)
		}
		return
	}
	chosen, err := choose(flag.Args())
	if err == nil {
		err = run(chosen, flag.NArg() > 0)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func choose(names []string) ([]*mutant, error) {
	var chosen []*mutant
	for i := range mutants {
		if len(names) == 0 {
			chosen = append(chosen, &mutants[i])
		}
	}
	for _, name := range names {
		before := len(chosen)
		for i := range mutants {
			if mutants[i].name == name {
				chosen = append(chosen, &mutants[i])
			}
		}
		if len(chosen) == before {
			return nil, fmt.Errorf("there is no mutant %s; -list prints all", name)
		}
	}
	return chosen, nil
}

// run tries the mutants, as many at once as there are processors, and prints
// the table.
func run(chosen []*mutant, verbose bool) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	begin := time.Now()
	outcomes := make([]outcome, len(chosen))
	turns := make(chan struct{}, runtime.NumCPU())
	var wg sync.WaitGroup
	for i, m := range chosen {
		turns <- struct{}{}
		wg.Go(func() {
			outcomes[i] = m.try(context.Background(), root, verbose)
			<-turns
		})
	}
	wg.Wait()

	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MUTANT\tLINE\tFILE\tCAUGHT BY\tSECONDS")
	alive := 0
	for i, m := range chosen {
		o := &outcomes[i]
		by := m.pkg + " " + o.caughtBy
		switch {
		case o.err != nil:
			by = "ERROR"
			alive++
		case o.caughtBy == "":
			by = "NOTHING: it survives"
			alive++
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%.1f\n", m.name, m.line, m.edits[0].file, by, o.took.Seconds())
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for i, m := range chosen {
		if o := &outcomes[i]; o.err != nil {
			fmt.Println(o.err)
		} else if verbose {
			fmt.Printf("\n%s: %s\n%s", m.name, m.what, o.output)
		}
	}
	fmt.Printf("%d mutants, %d caught, in %v\n", len(chosen), len(chosen)-alive, time.Since(begin).Round(time.Second))
	if alive > 0 {
		return fmt.Errorf("%d of %d were not caught", alive, len(chosen))
	}
	return nil
}

func moduleRoot() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	path := strings.TrimSpace(string(out))
	if filepath.Base(path) != "go.mod" {
		return "", fmt.Errorf("no module here: go env GOMOD says %q", path)
	}
	return filepath.Dir(path), nil
}
