package archive

// Row is one record of the topic pageviews as a row of a Parquet file. A file
// holds a range of offsets of one shard and of one day of log time (UTC), in log
// order. All types are plain ones, which DuckDB, Spark and pandas read without
// help. Texts that a row does not have are empty; times and numbers that it does
// not have are null. (They are pointers because the library's "optional" without
// one takes a null after a single value for a value, in v0.32.0.)
//
// The record can be made again, byte by byte (Row.Record): from its fields where
// it is what our encoders make of them, as nearly all are, else from raw_*.
type Row struct {
	Epoch      int32  `parquet:"epoch"`
	Partition  int32  `parquet:"partition"`
	Offset     int64  `parquet:"offset,delta"`
	RecordTime int64  `parquet:"record_time,delta,timestamp(millisecond)"` // as it stands in the record
	LogTime    int64  `parquet:"log_time,delta,timestamp(millisecond)"`    // the highest record_time of the shard so far
	Kind       string `parquet:"kind,dict"`                                // see Kind

	TS     *int64 `parquet:"ts,optional,timestamp(millisecond)"` // of the event; null in a row that is not one
	Page   []byte `parquet:"page,dict,string"`                   // the url normalised: host and path
	Person []byte `parquet:"person,dict,string"`
	Nonce  []byte `parquet:"nonce,string"` // the client's, or made from where the record first lay
	URL    []byte `parquet:"url,dict,string"`

	NonceMade bool   `parquet:"nonce_made"` // the record has none: it was made
	Referrer  []byte `parquet:"referrer,dict,string"`
	UserAgent []byte `parquet:"user_agent,dict,string"`

	// Where a record that was moved here came from.
	SourceEpoch     *int32 `parquet:"source_epoch,optional"`
	SourcePartition *int32 `parquet:"source_partition,optional"`
	SourceOffset    *int64 `parquet:"source_offset,optional"`

	Generation *int64 `parquet:"generation,optional"` // of a marker
	Reason     string `parquet:"reason,dict"`         // why it is refused; else empty
	Wire       int32  `parquet:"wire"`                // how the record was encoded: see wire.go
	RawKey     []byte `parquet:"raw_key"`             // as in the record, where wire says so
	RawValue   []byte `parquet:"raw_value"`           //
	RawHeaders []byte `parquet:"raw_headers"`         //
}

// EdgeRow is one record of the topic equivs. Life counts the lives of that
// topic, as the log epoch does those of pageviews.
type EdgeRow struct {
	Life       int32  `parquet:"life"`
	Offset     int64  `parquet:"offset,delta"`
	RecordTime int64  `parquet:"record_time,delta,timestamp(millisecond)"`
	LogTime    int64  `parquet:"log_time,delta,timestamp(millisecond)"`
	ID1        string `parquet:"id1"`
	ID2        string `parquet:"id2"`
	TS         *int64 `parquet:"ts,optional,timestamp(millisecond)"` // when it was said; null where the row is not an edge
	Retract    bool   `parquet:"retract"`                            // they are not one person after all
	Reason     string `parquet:"reason,dict"`                        // why it is no edge: id1 and id2 are empty then; else empty
	Wire       int32  `parquet:"wire"`
	RawKey     []byte `parquet:"raw_key"`
	RawValue   []byte `parquet:"raw_value"`
	RawHeaders []byte `parquet:"raw_headers"`
}

// times keeps the times of rows, which point to them, with an allocation for
// each chunk instead of each row.
type times []int64

func (t *times) keep(ms int64) *int64 {
	if len(*t) == cap(*t) {
		*t = make([]int64, 0, batchRows)
	}
	*t = append(*t, ms)
	return &(*t)[len(*t)-1]
}
