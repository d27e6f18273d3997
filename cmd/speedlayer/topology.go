package main

import (
	"io"

	"github.com/spf13/cobra"

	"speedlayer/examples/webanalytics"
)

func newTopology(streams streams) *cobra.Command {
	var mermaid bool
	cmd := &cobra.Command{
		Use:   "topology",
		Short: "Print the topology of web analytics",
		Long: "Prints the steps of web analytics, each below the one that it follows, as they are\n" +
			"written in the public API (examples/webanalytics): its results equal those of the\n" +
			"operator that speedlayer runs, cell by cell.",
		Example: "  speedlayer topology\n  speedlayer topology --mermaid",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			t, _ := webanalytics.New()
			text := t.Text()
			if mermaid {
				text = t.Mermaid()
			}
			_, err := io.WriteString(streams.out, text)
			return err
		},
	}
	cmd.Flags().BoolVar(&mermaid, "mermaid", false, "print a flow chart in the language of Mermaid, which Markdown viewers draw")
	return cmd
}
