package query

// SetExportBlock makes the blocks of an export small, for tests.
func (e *Engine) SetExportBlock(bytes int) { e.block = bytes }
