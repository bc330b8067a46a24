package inbox

import "fmt"

// LaneFile names a file in a lane.
type LaneFile struct {
	Lane Lane
	Name string
}

// Path is where the file is below the root.
func (f LaneFile) Path() string { return folder(f.Lane).String() + "/" + f.Name }

// Waiting lists the files in the lanes that are neither stored nor set aside, claimed or not.
func (d *Dir) Waiting() (files []LaneFile, err error) {
	stays, err := d.stays()
	for lane := range lanes {
		if err != nil {
			break
		}
		err = d.each(folder(lane), func(e dirEntry) error {
			if foreign(e) == "" && !d.isListed(stays, folder(lane), e.name) {
				files = append(files, LaneFile{lane, e.name})
			}
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("list waiting files in %s: %w", d.root, err)
	}
	return files, nil
}

// Left keeps those of the files that still wait. It uses the memory of files.
func (d *Dir) Left(files []LaneFile) ([]LaneFile, error) {
	stays, err := d.stays()
	if err != nil {
		return nil, fmt.Errorf("list waiting files in %s: %w", d.root, err)
	}
	left := files[:0]
	for _, f := range files {
		if _, err := d.disk.stat(folder(f.Lane), f.Name); err == nil && !d.isListed(stays, folder(f.Lane), f.Name) {
			left = append(left, f)
		}
	}
	return left, nil
}
