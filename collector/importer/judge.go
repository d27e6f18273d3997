package importer

import (
	"bytes"
	"context"
	"errors"

	"speedlayer/collector/accesslog"
	"speedlayer/event"
)

// line judges one line. Its error is the sink's.
func (im *importer) line(ctx context.Context, first []byte, position int64, line []byte) error {
	var pv event.Pageview
	if im.cfg.Format == JSONLines {
		if len(bytes.TrimSpace(line)) == 0 {
			im.skip("empty line", line)
			return nil
		}
		if !im.jsonLine(line, &pv) {
			return nil
		}
	} else if !im.logLine(line, &pv) {
		return nil
	}
	if im.cfg.DropBots && im.bots.IsBot(pv.UserAgent) {
		im.report.BotsDropped++
		return nil
	}
	if err := event.CheckAhead(pv.TS, im.cfg.Now().UnixMilli(), event.MaxAheadCollector); err != nil {
		im.reject(reason(err), line)
		return nil
	}
	if !pv.HasNonce {
		pv.Nonce, pv.HasNonce = nonce(im.host, first, position, line), true
	}
	return im.append(ctx, &pv, line)
}

func (im *importer) logLine(line []byte, pv *event.Pageview) bool {
	var l accesslog.Line
	if err := accesslog.Parse(line, im.cfg.Format == Combined, &l); err != nil {
		im.reject(string(accesslog.NotALine), line)
		return false
	}
	switch why, err := l.Pageview(im.cfg.Host, pv); why {
	case "":
		return true
	case accesslog.RefusedTarget:
		im.reject(string(why)+": "+reason(err), line)
	default:
		im.skip(string(why), line)
	}
	return false
}

func (im *importer) jsonLine(line []byte, pv *event.Pageview) bool {
	err := im.decoder.Decode(bytes.TrimSpace(line), pv)
	if err == nil {
		_, err = event.AppendPage(nil, pv.URL)
	}
	if err != nil {
		im.reject(reason(err), line)
		return false
	}
	return true
}

// reason is an error without what only the one line has, so that it can be
// counted.
func reason(err error) string {
	var r *event.Refusal
	if !errors.As(err, &r) {
		return err.Error()
	}
	if r.Field == "" {
		return r.Code
	}
	return r.Field + " " + r.Code
}
