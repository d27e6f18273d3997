package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"speedlayer/node"
)

func newAccuracy(io streams) *cobra.Command {
	var target targetFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "accuracy [--json]",
		Short: "How right the speed layer was, as the batch runs found out",
		Long: `When a batch run is complete, what the speed layer said of the hours that the run
has absorbed is compared with what the run says: every domain and a sample of
pages, hour by hour. What is off is told with its cause.`,
		Example: "  speedlayer accuracy",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := target.openAnswers(cmd.Context(), io)
			if err != nil {
				return err
			}
			a, err := t.batch.Accuracy(cmd.Context())
			if err2 := t.close(); err == nil {
				err = err2
			}
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(io.out).Encode(a)
			}
			return printAccuracy(io.out, a)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	target.add(cmd.Flags())
	return cmd
}

func printAccuracy(out io.Writer, a *node.Accuracies) error {
	if len(a.Runs) == 0 {
		fmt.Fprintln(out, "no batch run has compared yet")
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i := range a.Runs {
		r := &a.Runs[i]
		fmt.Fprintf(w, "run %d\tthe log as of %s\t%s domains, %s pages\n", r.Run, r.Until, groups(int64(r.Domains)), groups(int64(r.Pages)))
		for _, v := range r.Views {
			fmt.Fprintf(w, "  %s\t%s of %s hours exact\toff by %s of %s\n", v.View, groups(int64(v.Exact)), groups(int64(v.Cells)), groups(v.Off), groups(v.Truth))
			for _, c := range v.Causes {
				fmt.Fprintf(w, "    %s\t%s hours\toff by %s\n", c.Cause, groups(int64(c.Cells)), groups(c.Off))
			}
			for _, c := range v.Worst {
				fmt.Fprintf(w, "    \t%s %s\t%s, not %s (%s)\n", c.URL, c.Hour, groups(c.Speed), groups(c.Batch), c.Cause)
			}
		}
	}
	return w.Flush()
}
