// Package storetest holds implementations of store.Store to its contract. Each
// subtest is named after the law of package store that it tests, and asks for
// nothing beyond it: a store whose batches are not atomic passes too.
package storetest
