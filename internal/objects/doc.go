// Package objects keeps immutable objects in a folder or in a bucket of an S3
// store. The archive and the batch views lie there.
//
//	FOLDER, file:///FOLDER     a folder, made if it is missing
//	s3://BUCKET/FOLDER?...     S3, or a server that speaks it; see s3.go
//
// What everything else rests on is that Create refuses a name that is taken, in
// one step with the write: of two that create an object at once, one wins.
package objects
