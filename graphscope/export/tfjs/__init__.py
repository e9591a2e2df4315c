"""Models in TF.js's format, for browsers and Node.js. Needs no package.

:func:`graphscope.export.tfjs.convert.convert` looks at the graph and changes what TF.js lacks, and
:func:`graphscope.export.tfjs.write.write_tfjs` streams the weights to where they belong.
"""
