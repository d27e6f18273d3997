package query

// SetExportBlock makes the blocks of an export small, for tests.
func (e *Engine) SetExportBlock(bytes int) { e.block = bytes }

// SetCounted sets how many domains an answer counts, for tests.
func (e *Engine) SetCounted(domains int) { e.counted = domains }

// TakeTurn takes a query's turn, and returns what gives it back.
func (e *Engine) TakeTurn() func() {
	<-e.queries.free
	return e.queries.give
}
