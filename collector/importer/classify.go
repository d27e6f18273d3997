package importer

import (
	"bytes"
	"errors"

	"speedlayer/collector/accesslog"
	"speedlayer/collector/bots"
	"speedlayer/event"
)

// line classifies one line. Its error is errNoHost.
func (f *file) line(l line) error {
	im := f.im
	if len(bytes.TrimSpace(l.text)) == 0 {
		im.skip("empty line", l.text)
		return nil
	}
	var pv event.Pageview
	host := ""
	if f.report.Format == JSONLines {
		if !f.jsonLine(l.text, &pv) {
			return nil
		}
	} else if ok, named, err := f.logLine(l.text, &pv); !ok {
		return err
	} else if !named {
		host = im.host
	}
	if im.cfg.DropBots {
		if kind := im.bots.Kind(pv.UserAgent); kind != bots.None {
			im.report.BotsDropped++
			count(&im.report.Bots, string(kind), l.text)
			f.good++
			return nil
		}
	}
	if err := event.CheckAhead(pv.TS, im.cfg.Now().UnixMilli(), event.MaxAheadCollector); err != nil {
		f.reject(reason(err), l.text)
		return nil
	}
	var was []byte
	if !pv.HasNonce {
		pv.Nonce, pv.HasNonce = nonce(host, f.first, l.position, l.text), true
		was = nonceBefore(f.first, l.position, l.text)
	}
	f.pageviews++
	f.good++
	im.append(&pv, was, l.text)
	return nil
}

// errNoHost ends the reading of a file whose lines do not name their site.
var errNoHost = errors.New("no site is known")

// logLine reads a line of an access log. named reports that the line names its own
// host, so that the site which the import was given is not a part of it.
func (f *file) logLine(text []byte, pv *event.Pageview) (ok, named bool, err error) {
	var l accesslog.Line
	switch err := f.parser.Parse(text, &l); {
	case errors.Is(err, accesslog.ErrDirective):
		f.im.skip(err.Error(), text)
		return false, false, nil
	case err != nil:
		f.reject(err.Error(), text)
		return false, false, nil
	}
	switch why, err := l.Pageview(f.im.cfg.Host, pv); {
	case why == "":
		return true, l.Host != nil, nil
	case errors.Is(err, accesslog.ErrNoHost) && f.pageviews == 0 && !f.report.Format.NamesHosts():
		return false, false, errNoHost
	case why == accesslog.RejectedTarget:
		if r := new(event.Rejection); errors.As(err, &r) && r.Field != "url" {
			f.reject(reason(err), text) // its time, for example
			break
		}
		f.reject(string(why)+": "+reason(err), text)
	default:
		f.good++
		f.im.skip(string(why), text)
	}
	return false, false, nil
}

func (f *file) jsonLine(line []byte, pv *event.Pageview) bool {
	f.im.decoder.Time = f.im.cfg.Now().UnixMilli() // of a line without ts
	err := f.im.decoder.Decode(bytes.TrimSpace(line), pv)
	if err == nil {
		_, err = event.AppendPage(nil, pv.URL)
	}
	if err != nil {
		f.reject(reason(err), line)
		return false
	}
	return true
}

// reason is an error without what only the one line has, so that it can be
// counted.
func reason(err error) string {
	var r *event.Rejection
	if !errors.As(err, &r) {
		return err.Error()
	}
	code := r.Code
	if code == event.Code1990 {
		code = "is before 1990 (were seconds meant, where milliseconds are read?)"
	}
	if r.Field == "" {
		return code
	}
	return r.Field + " " + code
}
