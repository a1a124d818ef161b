// Package store is Spack's install tree: the prefixes of installed packages
// below one root, and the database that lists them. What is installed here is
// seen by Spack, and what Spack installs is seen here; both may write at the
// same time, because the locks are Spack's.
//
//	ROOT/bin/sbang                     runs scripts whose first line is too long
//	ROOT/<projection>/…                the prefixes
//	ROOT/.spack-db/index.json          the database, replaced as a whole
//	ROOT/.spack-db/index_verifier      a new UUID for each new database
//	ROOT/.spack-db/lock                locked as a whole for the database
//	ROOT/.spack-db/prefix_lock         one byte of it locked for each prefix
//	ROOT/.spack-db/failures/…          marks of failed installs
//
// With padding, everything but bin/sbang is below the padded root.
//
// The layout is that of store.py, directory_layout.py and database.py of Spack
// 0.20 to 1.x. Databases of version 7 (Spack 0.23 and older) and 8 (1.x) are
// read and written, and keep their version.
package store
