package verify

// RecordOf is what the oracle is given of a record.
var RecordOf = recordOf
