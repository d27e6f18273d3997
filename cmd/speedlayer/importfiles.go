package main

import (
	"fmt"
	"io"

	"speedlayer/collector/importer"
)

// importFile is what import reports of one file.
type importFile struct {
	Name     string   `json:"name"`
	Format   string   `json:"format"`
	Found    bool     `json:"format_found"`
	Lines    int64    `json:"lines"`
	Rejected int64    `json:"rejected"`
	Notes    []string `json:"notes"`
	Error    string   `json:"error,omitempty"`
}

func importFileReports(files []importer.File) []importFile {
	out := make([]importFile, len(files))
	for i, f := range files {
		out[i] = importFile{Name: f.Name, Format: string(f.Format), Found: f.Found, Lines: f.Lines, Rejected: f.Rejected, Notes: f.Notes}
		if f.Notes == nil {
			out[i].Notes = []string{}
		}
		if f.Err != nil {
			out[i].Error = f.Err.Error()
		}
	}
	return out
}

// tellFiles says on standard error which formats were found, and what a user
// should know of each file. What ended a file is the command's error.
func tellFiles(w io.Writer, files []importer.File) {
	for _, f := range files {
		if f.Found {
			fmt.Fprintf(w, "%s: format %s (--format names another)\n", f.Name, f.Format)
		}
		for _, note := range f.Notes {
			fmt.Fprintf(w, "%s: %s\n", f.Name, note)
		}
	}
}
