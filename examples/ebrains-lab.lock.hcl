# Written by esd lock; do not edit. Commit this file beside the configuration.

environment "environment.lab" {
  specs  = "openmpi | hdf5+mpi | gsl | nest+mpi+python | neuron+mpi+python | arbor+mpi+python | py-numpy | py-scipy | py-matplotlib | py-pandas | py-mpi4py | py-h5py+mpi | py-ipython"
  spack  = "255f14944cc3c0c7"
  config = "64e6b3cbc91f4781"
  sha256 = "cdb153bf555554bdde1a8b5799d978ae29869f9c9c728afdc306bc18751c801f"
}
