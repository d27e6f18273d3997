package archive

// Row is one record of the topic pageviews as a row of a Parquet file. A file
// holds a range of offsets of one shard and of one day of log time (UTC), in log
// order. Columns that every query needs are never null: where a row is no
// pageview they are empty, and ts is 0. All types are plain ones, which DuckDB,
// Spark and pandas read without help.
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

	TS     int64  `parquet:"ts,delta,timestamp(millisecond)"` // of the event
	Page   []byte `parquet:"page,dict,string"`                // the url normalised: host and path
	Person []byte `parquet:"person,dict,string"`
	Nonce  []byte `parquet:"nonce,string"` // the client's, or made from where the record first lay
	URL    []byte `parquet:"url,dict,string"`

	NonceMade bool   `parquet:"nonce_made"` // the record has none: it was made
	Referrer  []byte `parquet:"referrer,optional,dict,string"`
	UserAgent []byte `parquet:"user_agent,optional,dict,string"`

	// Where a record that was moved here came from.
	SourceEpoch     *int32 `parquet:"source_epoch,optional"`
	SourcePartition *int32 `parquet:"source_partition,optional"`
	SourceOffset    *int64 `parquet:"source_offset,optional"`

	Generation *int64 `parquet:"generation,optional"`  // of a marker
	Reason     string `parquet:"reason,optional,dict"` // why it is refused
	Wire       int32  `parquet:"wire"`                 // how the record was encoded: see wire.go
	RawKey     []byte `parquet:"raw_key,optional"`     // as in the record, where wire says so
	RawValue   []byte `parquet:"raw_value,optional"`   //
	RawHeaders []byte `parquet:"raw_headers,optional"` //
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
	TS         int64  `parquet:"ts,delta,timestamp(millisecond)"` // when it was said
	Retract    bool   `parquet:"retract"`                         // they are not one person after all
	Reason     string `parquet:"reason,optional,dict"`            // why it is no edge; id1 and id2 are empty then
	Wire       int32  `parquet:"wire"`
	RawKey     []byte `parquet:"raw_key,optional"`
	RawValue   []byte `parquet:"raw_value,optional"`
	RawHeaders []byte `parquet:"raw_headers,optional"`
}
