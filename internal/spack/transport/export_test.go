package transport

// SetPartSizes makes objects of more than single bytes go to S3 in parts.
func (s *Store) SetPartSizes(single, part int64) {
	s.backend.(*s3Backend).sizes = partSizes{single: single, part: part, count: 10_000}
}

// PartSize is the size of the parts of an object of the given size, by default.
func PartSize(size int64) int64 { return defaultPartSizes().of(size) }
