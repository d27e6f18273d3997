package devcluster

import (
	"os"
	"strings"
	"testing"
)

// A state that is not what was written is refused, with the file's name and the
// remedy; one without a checksum is of an earlier version.
func TestDamagedState(t *testing.T) {
	dir := t.TempDir()
	s := &state{Version: stateVersion, ClusterID: newUUID(), Ports: ports{ZooKeeper: 2181}, Processes: map[string]int{"zookeeper": 17}}
	if err := s.write(dir); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(stateFile(dir))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := readState(dir); err != nil || got.ClusterID != s.ClusterID || got.Processes["zookeeper"] != 17 {
		t.Fatalf("%+v %v", got, err)
	}
	flipped := strings.Replace(string(good), `"zookeeper": 17`, `"zookeeper": 16`, 1)
	for name, text := range map[string]string{"flipped": flipped, "cut": string(good[:len(good)/2]), "empty": ""} {
		if err := os.WriteFile(stateFile(dir), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readState(dir); err == nil || !strings.Contains(err.Error(), stateFile(dir)) || !strings.Contains(err.Error(), "fresh one") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(stateFile(dir), []byte(`{"version": 1, "cluster_id": "x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := readState(dir); err != nil || got.ClusterID != "x" {
		t.Errorf("of an earlier version: %+v %v", got, err)
	}
}
