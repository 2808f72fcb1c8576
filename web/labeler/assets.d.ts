/** Vite bundles them; for the compiler they are files with an effect. */
declare module '*.css';
