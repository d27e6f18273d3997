package hbase

import (
	"strings"
	"testing"

	"speedlayer/internal/devcluster"
	"speedlayer/internal/devcluster/clustertest"
)

// At start a user without rights is told which part of --store to change, and
// nothing is created. A user with rights can go on.
func TestClusterRights(t *testing.T) {
	c := clustertest.Start(t, devcluster.Options{HBase: true, Authorize: true, Quick: true})
	o, err := ParseURL("hbase://" + c.ZooKeeper() + "/hbase?user=" + devcluster.SuperUser)
	must(t, err)
	o.Prefix = fresh()
	guest := o
	guest.User = "guest"
	if s, err := Open(t.Context(), guest); err == nil {
		s.Close()
		t.Fatal("it opens")
	} else if !strings.Contains(err.Error(), `user "guest" lacks rights: name another with &user=`) {
		t.Errorf("%v", err)
	}
	none(t, o, o.Prefix)
	s := open(t, o)
	must(t, s.CreateGeneration(t.Context(), 0))
	must(t, s.Close())
	if s, err := Open(t.Context(), guest); err == nil { // it may not read what is there
		s.Close()
		t.Fatal("it opens the tables of another")
	} else if !strings.Contains(err.Error(), "&user=") {
		t.Errorf("%v", err)
	}
}
