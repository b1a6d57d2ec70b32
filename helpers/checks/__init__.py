"""The checks of the exercises: one module per chapter, one public function per exercise."""
