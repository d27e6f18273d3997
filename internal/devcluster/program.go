package devcluster

import (
	"context"
	"io"
	"path/filepath"
)

// Program returns a Java, and the class path of a set of pinned jars: "parquet" is
// Apache's reader of Parquet files, which Spark uses. The jars come from Maven
// unless they are there already, as those of servers do. The error is a
// *MissingError when this machine lacks Java or Maven.
func Program(ctx context.Context, set string, log io.Writer) (java, classPath string, err error) {
	if java, err = findJava(ctx); err != nil {
		return "", "", err
	}
	jars, err := DefaultJars()
	if err != nil {
		return "", "", err
	}
	folder, err := loadJarSet(set).get(ctx, Options{Jars: jars, Log: log})
	if err != nil {
		return "", "", err
	}
	return java, filepath.Join(folder, "*"), nil
}

// FindMaven returns the path of Maven; a *MissingError without it.
func FindMaven() (string, error) { return findMaven() }
