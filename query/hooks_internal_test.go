package query

// SetExportBlock makes the blocks of an export small, for tests.
func (e *Engine) SetExportBlock(bytes int) { e.block = bytes }

// SetCounted sets how many domains an answer counts, for tests.
func (e *Engine) SetCounted(domains int) { e.counted = domains }
