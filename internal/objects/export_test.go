package objects

// SetPart sets the size above which a bucket's objects are sent in parts.
func SetPart(s Store, size int64) { s.(*bucket).part = size }
