package active

import "speedlayer/view"

// Operator is the operator of web analytics whose live events Visitors are told of.
type Operator struct {
	*view.Pageviews
	visitors *Visitors
}

// Watch returns an operator that does what op does and tells v of every live event.
func (v *Visitors) Watch(op *view.Pageviews) *Operator { return &Operator{op, v} }

// Take makes the current event the next one of the batch. An event that is not live
// was counted before, perhaps by another process, and is not a current view.
func (o *Operator) Take(offset int64, ownerHash uint64, live bool) {
	o.Pageviews.Take(offset, ownerHash, live)
	if live {
		domain, ts := o.Taken()
		o.visitors.Seen(domain, ownerHash, ts)
	}
}
