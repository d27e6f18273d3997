package event

// Accept decodes the value of a record into pv and applies the rules that need
// more than the value: ts may not be far ahead of the log, and the url must have
// a page, which is appended to dst. An error is the reason why the record is
// rejected. Everything that reads the log calls it, so that all agree.
func (d *Decoder) Accept(dst, value []byte, recordTime, logTime int64, pv *Pageview) ([]byte, error) {
	d.Time = recordTime // of an event that has none of its own
	if err := d.Decode(value, pv); err != nil {
		return dst, err
	}
	if err := CheckAhead(pv.TS, logTime, MaxAheadLog); err != nil {
		return dst, err
	}
	at := len(dst)
	dst, err := AppendPage(dst, pv.URL)
	if err != nil {
		return dst[:at], err
	}
	return dst, nil
}
