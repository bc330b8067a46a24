package packs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Version is a version of four parts.
type Version [4]uint32

// ParseVersion reads a version such as 1.2.0.0; each part is a number up to 2^31-1 without leading zeros.
func ParseVersion(text string) (v Version, err error) {
	parts := strings.Split(text, ".")
	if len(parts) != len(v) {
		return Version{}, fmt.Errorf("%.40q is no version of four parts, such as 1.2.0.0", text)
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil || strconv.FormatUint(n, 10) != part {
			return Version{}, fmt.Errorf("%.40q is no version of four parts, such as 1.2.0.0", text)
		}
		v[i] = uint32(n)
	}
	return v, nil
}

// String is the version as it is written.
func (v Version) String() string { return fmt.Sprintf("%d.%d.%d.%d", v[0], v[1], v[2], v[3]) }

// Compare is negative when v is lower, positive when it is higher.
func (v Version) Compare(other Version) int { return slices.Compare(v[:], other[:]) }
