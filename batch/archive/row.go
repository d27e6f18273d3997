package archive

// Row is one record of the topic pageviews as a row of a Parquet file. A file
// contains a range of offsets of one shard and of one day of log time (UTC), in log
// order. All types are plain ones, which DuckDB, Spark and pandas read without
// help. Missing texts are empty; missing times and numbers are null. (They are
// pointers because the library's "optional" without a pointer takes a null after a
// single value for a value, in v0.32.0.)
//
// The record can be reproduced byte by byte (Row.Record): from its fields if our
// encoders would write it so, as is the case for nearly all, else from raw_*.
type Row struct {
	Epoch      int32  `parquet:"epoch"`
	Partition  int32  `parquet:"partition"`
	Offset     int64  `parquet:"offset,delta"`
	RecordTime int64  `parquet:"record_time,delta,timestamp(millisecond)"` // as stored in the record
	LogTime    int64  `parquet:"log_time,delta,timestamp(millisecond)"`    // the highest record_time of the shard so far
	Kind       string `parquet:"kind,dict"`                                // see Kind

	TS     *int64 `parquet:"ts,optional,timestamp(millisecond)"` // of the event; null in a row that is not one
	Page   []byte `parquet:"page,dict,string"`                   // the normalised url: host and path
	Person []byte `parquet:"person,dict,string"`
	Nonce  []byte `parquet:"nonce,string"` // the client's, or derived from the first position of the record
	URL    []byte `parquet:"url,dict,string"`

	NonceMade bool   `parquet:"nonce_made"` // the record has no nonce: it was derived
	Referrer  []byte `parquet:"referrer,dict,string"`
	UserAgent []byte `parquet:"user_agent,dict,string"`

	// These tell where a record that was rerouted here came from.
	SourceEpoch     *int32 `parquet:"source_epoch,optional"`
	SourcePartition *int32 `parquet:"source_partition,optional"`
	SourceOffset    *int64 `parquet:"source_offset,optional"`

	Generation *int64 `parquet:"generation,optional"` // of a marker
	Reason     string `parquet:"reason,dict"`         // why it was rejected; otherwise empty
	Wire       int32  `parquet:"wire"`                // how the record was encoded: see wire.go
	RawKey     []byte `parquet:"raw_key"`             // as in the record, where wire reports it
	RawValue   []byte `parquet:"raw_value"`           //
	RawHeaders []byte `parquet:"raw_headers"`         //
}

// EdgeRow is one record of the topic equivs. Incarnation counts the incarnations of that
// topic, as the log epoch does for pageviews.
type EdgeRow struct {
	Incarnation int32  `parquet:"life"`
	Offset      int64  `parquet:"offset,delta"`
	RecordTime  int64  `parquet:"record_time,delta,timestamp(millisecond)"`
	LogTime     int64  `parquet:"log_time,delta,timestamp(millisecond)"`
	ID1         string `parquet:"id1"`
	ID2         string `parquet:"id2"`
	TS          *int64 `parquet:"ts,optional,timestamp(millisecond)"` // when the edge was posted; null if the row is not an edge
	Retract     bool   `parquet:"retract"`                            // the edge is taken back
	Reason      string `parquet:"reason,dict"`                        // why it is not an edge (id1 and id2 are then empty); otherwise empty
	Wire        int32  `parquet:"wire"`
	RawKey      []byte `parquet:"raw_key"`
	RawValue    []byte `parquet:"raw_value"`
	RawHeaders  []byte `parquet:"raw_headers"`
}

// times stores the times that rows point to, with one allocation for each chunk
// instead of one for each row.
type times []int64

func (t *times) keep(ms int64) *int64 {
	if len(*t) == cap(*t) {
		*t = make([]int64, 0, batchRows)
	}
	*t = append(*t, ms)
	return &(*t)[len(*t)-1]
}
