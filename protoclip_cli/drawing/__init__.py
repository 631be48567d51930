"""Floor 3: pictures. They see text files and arrays, and know no model and no benchmark."""
