package oracle

import (
	"fmt"

	"speedlayer/store"
)

// EpochOptions are those of an oracle of one partition of a log epoch, from the
// epoch's start.
func EpochOptions(e store.Epoch, partition int32) (Options, error) {
	s, err := ParseSettings(e.Settings)
	if err != nil {
		return Options{}, fmt.Errorf("settings of epoch %d: %w", e.Number, err)
	}
	return Options{Epoch: e.Number, Partition: partition, Partitions: e.Partitions,
		Start: e.Starts[partition], Generation: e.Generation, Settings: s}, nil
}

// AddEpochs adds an oracle for each shard of the epochs that has none yet.
func AddEpochs(oracles map[store.Shard]*Oracle, epochs []store.Epoch) error {
	for _, e := range epochs {
		for part := range e.Partitions {
			shard := store.Shard{Epoch: e.Number, Partition: part}
			if oracles[shard] != nil {
				continue
			}
			o, err := EpochOptions(e, part)
			if err != nil {
				return err
			}
			oracles[shard] = New(o)
		}
	}
	return nil
}
