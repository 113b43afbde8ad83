"""The commands of this folder, and in lib/ what they run."""
