package inbox

import (
	"fmt"
	"statewire/inbox/disk"
)

// LaneFile names a file in a lane.
type LaneFile struct {
	Lane Lane
	Name string
}

// Path is where the file is below the root.
func (f LaneFile) Path() string { return disk.Folder(f.Lane).String() + "/" + f.Name }

// Waiting lists the files in the lanes that are neither stored nor set aside, claimed or not.
func (d *Dir) Waiting() (files []LaneFile, err error) {
	stays, err := d.stays()
	for lane := range lanes {
		if err != nil {
			break
		}
		err = d.each(disk.Folder(lane), func(e disk.Entry) error {
			if foreign(e) == "" && !d.isListed(stays, disk.Folder(lane), e.Name) {
				files = append(files, LaneFile{lane, e.Name})
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
		if _, err := d.disk.Stat(disk.Folder(f.Lane), f.Name); err == nil && !d.isListed(stays, disk.Folder(f.Lane), f.Name) {
			left = append(left, f)
		}
	}
	return left, nil
}
