package dashboard

import (
	"os"
	"testing"
	"time"
)

// The page shows which hours came from the batch layer, where the cut is, and how
// accurate the speed layer was. Without a batch run it shows nothing about it.
func TestBatchLayerIsShown(t *testing.T) {
	f := filled()
	s := serve(t, f)
	p := open(t, s, may)
	p.settled()
	p.until(`!document.getElementById('answer').textContent.includes('Batch layer')`)
	f.change(func() { f.cut = time.Date(2015, 5, 18, 12, 0, 0, 0, time.UTC) })
	p.visit(may)
	p.settled()
	p.until(`document.getElementById('answer').textContent.includes('run 7the log as of 18 May 2015, 12:00 UTC')`)
	p.until(`document.getElementById('answer').textContent.includes('3,999 of 4,000hours of pages and domains, says run 7; off by: dedupe window')`)
	p.until(`document.getElementById('chart').hasAttribute('data-cut')`)
	if dir := os.Getenv("SPEEDLAYER_SHOTS"); dir != "" {
		p.shot(dir, "desktop-batch")
	}
}
