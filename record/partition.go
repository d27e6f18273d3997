package record

// PartitionOf is the partition of a person: Kafka's default partitioner, which
// is MurmurHash2 of the key without its sign bit, modulo the partitions. All
// writers of the topic must agree on it.
func PartitionOf(person []byte, partitions int32) int32 {
	return PartitionOfHash(PersonHash(person), partitions)
}

// PersonHash decides the partition of a person: MurmurHash2 with its sign bit set,
// which does not count, so that it is never 0.
func PersonHash(person []byte) uint32 { return murmur2(person) | 1<<31 }

// PartitionOfHash is PartitionOf for a PersonHash.
func PartitionOfHash(hash uint32, partitions int32) int32 {
	return int32(hash&0x7fffffff) % partitions
}

// murmur2 is Austin Appleby's MurmurHash2 with Kafka's seed, as in
// org.apache.kafka.common.utils.Utils.
func murmur2(b []byte) uint32 {
	const (
		seed = 0x9747b28c
		m    = 0x5bd1e995
		r    = 24
	)
	h := uint32(seed) ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
		k *= m
		k ^= k >> r
		k *= m
		h = h*m ^ k
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h ^= uint32(b[0])
		h *= m
	}
	h ^= h >> 13
	h *= m
	return h ^ h>>15
}
