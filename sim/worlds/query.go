package worlds

func (w *world) startQuery()     {}
func (w *world) checkLastQuery() {}
